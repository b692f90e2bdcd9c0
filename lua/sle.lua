-- sle.lua: service levels, as Mist counts them: user-minutes in all, and those that were bad.
--
--   sle.score(degraded, total)      1 - degraded / total: 1 is perfect; nil when there were no users
--   sle.score_of(samples)           the same from {total = {…}, degraded = {…}}, a summary's samples
--   sle.worst(classifiers)          the one that spoiled most, of a list with `name` and `degraded`; nil when nothing did
--   sle.share(classifiers, name)    its part of all that was spoiled, 0..1; nil when nothing was
--   sle.percent(score)              0.973 as "97.3 %"
--   sle.met(score, target)          whether the score reaches the target; false when there is no score

local M = {}

function M.score(degraded, total)
  if degraded == nil or total == nil or total <= 0 then return nil end
  return math.max(0.0, math.min(1.0, 1 - degraded / total))
end

local function sum(values)
  local total = 0
  for _, value in ipairs(values or {}) do
    total = total + (value or 0)
  end
  return total
end

function M.score_of(samples)
  if samples == nil then return nil end
  return M.score(sum(samples.degraded), sum(samples.total))
end

-- Degraded minutes of a classifier: a number, or a summary's samples.
local function degraded_of(classifier)
  if has(classifier, "samples") then return sum(classifier.samples.degraded) end
  return classifier.degraded or 0
end

function M.worst(classifiers)
  local most, answer = 0, nil
  for _, classifier in ipairs(classifiers or {}) do
    local degraded = degraded_of(classifier)
    if degraded > most then
      most, answer = degraded, classifier
    end
  end
  return answer
end

function M.share(classifiers, name)
  local all, own = 0, 0
  for _, classifier in ipairs(classifiers or {}) do
    local degraded = degraded_of(classifier)
    all = all + degraded
    if classifier.name == name then own = own + degraded end
  end
  if all <= 0 then return nil end
  return own / all
end

function M.percent(score)
  if score == nil then return "no users" end
  return string.format("%.1f %%", score * 100)
end

function M.met(score, target)
  return score ~= nil and score >= target
end

return M
