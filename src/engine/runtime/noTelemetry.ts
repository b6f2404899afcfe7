/**
 * Imported before `onnxruntime-node`: since 1.29 its library for Linux reports sessions (names of models, hashes of graphs and weights, a number
 * of the machine) to its makers unless this variable is set, and keeps a database under `~/.cache` for it. Nothing leaves a machine from here.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1';
