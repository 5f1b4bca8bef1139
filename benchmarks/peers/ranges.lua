-- For wrk: ranges that begin anywhere in files 0.bin, 1.bin, ...; arguments: files, bytes a file, bytes a range.
local files, size, length

function init(args)
  files, size, length = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  math.randomseed(tonumber(args[4]))
end

function request()
  local start = math.random(0, size - length)
  local range = "bytes=" .. start .. "-" .. (start + length - 1)
  return wrk.format("GET", wrk.path .. math.random(0, files - 1) .. ".bin", { Range = range })
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "bytes": %.0f, "p50": %.4f, "p95": %.4f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
