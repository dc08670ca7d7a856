-- Goes before the scripts that delete: which entries has every group of the stream read and acknowledged (R10, R16)?
local function before(a, b) -- stream ids, compared as the pair of numbers they are
  local a1, a2 = a:match('(%d+)-(%d+)')
  local b1, b2 = b:match('(%d+)-(%d+)')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end
local function groups_of(stream)
  local groups = {}
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
    groups[#groups + 1] = group
  end
  return groups
end
local function is_handled(stream, group, id)
  if before(group['last-delivered-id'], id) then return false end
  return group.pending == 0 or #redis.call('XPENDING', stream, group.name, id, id, 1) == 0
end
local function all_have_handled(stream, groups, id)
  for _, group in ipairs(groups) do
    if not is_handled(stream, group, id) then return false end
  end
  return true
end
