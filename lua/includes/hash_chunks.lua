-- @include "formats"

-- The values of `fields` of a hash, in their order; false where one is absent.
local function hash_values(key, fields)
  local count = #fields
  if count == 0 then return fields end
  if count <= CHUNK_MAX then return redis.call('HMGET', key, unpack(fields)) end
  local values = {}
  for first = 1, count, CHUNK_MAX do
    local chunk = redis.call('HMGET', key, unpack(fields, first, math.min(first + CHUNK_MAX - 1, count)))
    for i = 1, #chunk do values[first + i - 1] = chunk[i] end
  end
  return values
end

-- Reads `fields` of a hash into the table `into`; absent fields are left out.
local function hash_read(key, fields, into)
  local values = hash_values(key, fields)
  for i = 1, #fields do
    local value = values[i]
    if value then into[fields[i]] = value end
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
