"""All repositories of one database, made together."""

from __future__ import annotations

from dataclasses import dataclass

from analytics_core.dal.activity import ActivityRepository
from analytics_core.dal.api_calls import ApiCallRepository
from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.dal.extent import ExtentRepository
from analytics_core.dal.files import FileRepository
from analytics_core.dal.keys import ApiKeyRepository
from analytics_core.dal.ledger import LedgerRepository
from analytics_core.dal.projects import ProjectRepository
from analytics_core.dal.question import Questioner
from analytics_core.dal.renders import RenderRepository
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.reading import RollupRepository
from analytics_core.dal.usage_tracking import UsageTrackingRepository
from analytics_core.dal.users import UserRepository


@dataclass(frozen=True)
class Repositories:
    users: UserRepository
    renders: RenderRepository
    ledger: LedgerRepository
    api_calls: ApiCallRepository
    keys: ApiKeyRepository
    files: FileRepository
    projects: ProjectRepository
    activity: ActivityRepository
    usage_tracking: UsageTrackingRepository
    extent: ExtentRepository

    @classmethod
    def of(cls, database: Database, catalog: Catalog, kept: Kept | None) -> Repositories:
        """The repositories of a database; `kept` says where its rollups are, if there are any."""
        questioner = Questioner(database, catalog, catalog)
        rollups = RollupRepository(kept, questioner, catalog)
        return cls(
            users=UserRepository(catalog, questioner),
            renders=RenderRepository(questioner, rollups),
            ledger=LedgerRepository(questioner, rollups),
            api_calls=ApiCallRepository(questioner, rollups),
            keys=ApiKeyRepository(questioner),
            files=FileRepository(questioner, rollups),
            projects=ProjectRepository(questioner, rollups),
            activity=ActivityRepository(questioner),
            usage_tracking=UsageTrackingRepository(database, catalog),
            extent=ExtentRepository(database, catalog),
        )
