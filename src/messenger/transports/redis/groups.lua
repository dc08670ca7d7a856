-- Goes before the scripts that delete: which entries has every group of the stream read and acknowledged?
local function before(a, b) -- stream ids, compared as the pair of numbers they are
  local a1, a2 = a:match('(%d+)-(%d+)')
  local b1, b2 = b:match('(%d+)-(%d+)')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end
local function groups_of(stream)
  local reply = redis.pcall('XINFO', 'GROUPS', stream)
  if reply.err then
    if reply.err:find('no such key', 1, true) then return {} end
    reply = redis.call('XINFO', 'GROUPS', stream) -- fails again, and says so
  end
  local groups = {}
  for i, info in ipairs(reply) do
    groups[i] = {}
    for j = 1, #info, 2 do groups[i][info[j]] = info[j + 1] end
  end
  return groups
end
local function has_read(group, id) return not before(group['last-delivered-id'], id) end
local function has_handled(stream, group, id)
  return has_read(group, id) and (group.pending == 0 or #redis.call('XPENDING', stream, group.name, id, id, 1) == 0)
end
local function all_have_handled(stream, groups, id, but) -- but: a group that does not count, or nil
  for _, group in ipairs(groups) do
    if group.name ~= but and not has_handled(stream, group, id) then return false end
  end
  return true
end
-- Whether this group may settle a message: 1 yes; 0 it is gone or another consumer's, and whoever has it now decides
-- what becomes of it; -1 it was looked up, this group has not read it, and others need it.
-- consumer: the one that must hold it, or '' for any or none
local function may_settle(stream, groups, own, id, consumer)
  if consumer ~= '' then
    local pending = redis.call('XPENDING', stream, own, id, id, 1)
    return #pending == 1 and pending[1][2] == consumer and 1 or 0
  end
  if #redis.call('XRANGE', stream, id, id) == 0 then return 0 end
  for _, group in ipairs(groups) do
    if group.name == own and has_read(group, id) then return has_handled(stream, group, id) and 0 or 1 end
  end
  return all_have_handled(stream, groups, id, own) and 1 or -1
end
-- This group is done with a message. One that it has not read is deleted in any case, or it would be handed out.
local function settle(stream, groups, own, id, delete)
  local acknowledged = redis.call('XACK', stream, own, id)
  if acknowledged == 0 or (delete and all_have_handled(stream, groups, id, own)) then redis.call('XDEL', stream, id) end
end
