-- Keys of users, rooms and logs that a script finds in Redis, and its caller does not know. A script
-- may touch only keys that are in KEYS (managed services refuse others). So it wants them before it
-- writes anything that counts twice: it returns `wanted`, and is called again, with the same
-- arguments, and these keys after the others (found.h). So it begins again, and what it found may
-- have changed meanwhile. A script that takes names by chance takes the first call's from KEYS.
local wanted, given = { FOUND }, nil

local function is_given(key)
  if not given then
    given = {}
    for i = 1, #KEYS do given[KEYS[i]] = true end
  end
  return given[key]
end

local function want(base, parts)
  for _, part in ipairs(parts) do
    local key = base .. part
    if not is_given(key) then
      given[key] = true
      wanted[#wanted + 1] = key
    end
  end
end

-- Is anything wanted? Then the script returns `wanted`.
local function wants()
  return #wanted > 1
end

-- The bases of which KEYS has the key with this suffix.
local function given_bases(part)
  local out = {}
  for i = 1, #KEYS do
    if string.sub(KEYS[i], -#part) == part then out[#out + 1] = string.sub(KEYS[i], 1, -#part - 1) end
  end
  return out
end

-- What users need who come or go.
local USER_KEYS = { ':conns', ':rooms', ':profile', ':unread', ':counted', ':stamp', ':pending', ':turning' }
