// Loaded into Node programs of the local stack (node --require): ends them when whoever started
// them is gone, even by kill -9. By SIGTERM, so that Azurite still saves what it holds.
const parent = process.ppid;
setInterval(() => process.ppid === parent || process.kill(process.pid, "SIGTERM"), 500).unref();
