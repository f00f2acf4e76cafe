-- Prints the result that run.py reads. It is appended to each of the other scripts.
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '\nRESULT {"requests": %d, "microseconds": %d, "failed": %d, "p50": %.3f, "p99": %.3f, "max": %.3f}\n',
    summary.requests, summary.duration, failed,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
