// Runs before Voila's bundle, which begins with webpack's runtime and an entry that starts a whole
// JupyterLab. Its runtime and its libraries (Lumino, which ipywidgets and bqplot stand on) are wanted,
// the application is not: a chunk that is there first may replace the entry before it is run.
"use strict";

self.webpackChunk_JUPYTERLAB_CORE_OUTPUT = [[["usage"], {}, (runtime) => {
  self.usageHost = runtime;
  for (const [id, module] of Object.entries(runtime.m)) {
    // The other module of the entry reads where files are; this one loads the application.
    if (String(module).includes("Promise.all")) runtime.m[id] = () => {};
  }
}]];
