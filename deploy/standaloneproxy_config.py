"""What stands before a user's dashboard under JupyterHub: see jupyterhub_config.py."""

import os

c = get_config()  # noqa: F821 - given by traitlets
c.StandaloneProxyServer.command = ["analytics", "serve"]
# Nobody else on the machine can open it, so that the server believes who is named there.
c.StandaloneProxyServer.unix_socket = True
c.StandaloneProxyServer.environment = {"ANALYTICS_SOCKET": "{unix_socket}"}
# A machine on which many begin at once takes its time.
c.StandaloneProxyServer.timeout = 60
# In place of whatever a browser may have sent under that name.
c.StandaloneProxyServer.request_headers_override = {
    os.environ["ANALYTICS_PROXY_HEADER"]: os.environ["JUPYTERHUB_USER"]
}
