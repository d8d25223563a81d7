-- @include "formats"

-- Reads `fields` of a hash into the table `into`; absent fields are left out.
local function hash_read(key, fields, into)
  local count = #fields
  for first = 1, count, CHUNK_MAX do
    local last = math.min(first + CHUNK_MAX - 1, count)
    local values = redis.call('HMGET', key, unpack(fields, first, last))
    for i = first, last do
      local value = values[i - first + 1]
      if value then into[fields[i]] = value end
    end
  end
end

-- Writes a flat list of field, value, field, value, ... to a hash.
local function hash_write(key, pairs_list)
  for first = 1, #pairs_list, 2 * CHUNK_MAX do
    redis.call('HSET', key, unpack(pairs_list, first, math.min(first + 2 * CHUNK_MAX - 1, #pairs_list)))
  end
end

-- Deletes fields of a hash, or members of a sorted set.
local function remove_chunked(command, key, names)
  for first = 1, #names, CHUNK_MAX do
    redis.call(command, key, unpack(names, first, math.min(first + CHUNK_MAX - 1, #names)))
  end
end
