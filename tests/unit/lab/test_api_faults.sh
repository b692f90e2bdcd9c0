# Faults of the APIs themselves, for tests of those who ask: what the client sees, and what the lab did of it.
. "$(dirname "$0")/lib.sh"
lab_start healthy
client=a483e7123456

fault() { curl -s -d "{\"api\":$1}" "$url/lab/fault"; }
kick() { curl -s -o /dev/null -w '%{http_code} %{exitcode}' -m "${1:-5}" -H "Authorization: Token $(cat "$dir/mist.token")" -X POST "$url/api/v1/sites/$site/clients/$client/disconnect"; }
last() { writes | jq -c '.[-1] | [.status, .done]'; }

fault '{"system":"mist","path":"/disconnect","kind":"500"}' >/dev/null
is "500: answer" "$(kick)" "500 0"
is "500: not done" "$(last) $(troubled state)" "[500,false] up"
is "once only" "$(kick)" "200 0"
advance 6

fault '{"system":"mist","path":"/disconnect","kind":"cut_after_request"}' >/dev/null
like "cut: no answer" "$(kick)" '^000 (52|56)$'
is "cut: not done" "$(last) $(troubled state)" "[0,false] up"

fault '{"system":"mist","path":"/disconnect","kind":"lose_answer"}' >/dev/null
like "lost: no answer" "$(kick)" '^000 (52|56)$'
is "lost: done all the same" "$(last) $(troubled state)" "[0,true] searching"
advance 6

fault '{"path":"/self","kind":"html"}' >/dev/null
like "html" "$(mist /self)" '^<!DOCTYPE html>'
fault '{"path":"/self","kind":"truncated"}' >/dev/null
is "truncated" "$(mist /self -o "$scratch/half" -w '%{exitcode} %{size_download}')" "18 $(($(mist /self | wc -c) / 2))"
fault '{"path":"/self","kind":"429","retry_after":7}' >/dev/null
like "429 with Retry-After" "$(mist /self -D -)" 'Retry-After: 7'
fault '{"path":"/self","kind":"429"}' >/dev/null
is "429 without" "$(mist /self -D - | grep -ci retry-after)" 0
fault '{"path":"/self","kind":"empty"}' >/dev/null
is "empty" "$(mist /self | wc -c)" 0
fault '{"path":"/self","kind":"slow","delay":0.3}' >/dev/null
is "slow, but right" "$(mist /self -o /dev/null -w '%{http_code} %{time_total}' | awk '{ print $1, ($2 >= 0.3) }')" "200 1"
fault '{"path":"/self","kind":"hang"}' >/dev/null
is "hang" "$(mist /self -m 0.3 -w '%{exitcode}')" 28
fault '{"path":"/self","kind":"503","times":2,"after":1}' >/dev/null
is "after one, twice" "$(for i in 1 2 3 4; do mist_status /self; done)" "200503503200"
fault '{"system":"kea","path":"/","kind":"html"}' >/dev/null
is "of one system only" "$(mist_status /self) $(kea status-get | head -c 9)" "200 <!DOCTYPE"
fault '{"system":"mist","method":"POST","path":"/","kind":"500"}' >/dev/null
is "of one method only" "$(mist_status /self) $(kick)" "200 500 0"

like "unknown kind" "$(fault '{"kind":"explode"}')" "unknown kind 'explode'"
like "unknown key" "$(fault '{"kind":"slow","dealy":1}')" 'api: .*delay'
like "unknown fault" "$(curl -s -d '"dns_brokn"' "$url/lab/fault")" "did you mean 'dns_broken'"
like "unknown parameter" "$(curl -s -d '{"ap_hung":{"app":"x"}}' "$url/lab/fault")" "fault 'ap_hung' has no parameter 'app'"
like "an AP that is not there" "$(curl -s -d '{"ap_hung":{"ap":"AP-9"}}' "$url/lab/fault")" "no access point 'AP-9'"
like "time runs forward only" "$(curl -s -d '{"advance_s":-1}' "$url/lab/time")" 'error'

# A fault while it runs is seen at once, and what hangs does not keep the lab from ending (lab_end checks how it ended).
curl -s -d '"radius_down"' "$url/lab/fault" >/dev/null
timeout 5 bash -c "while : </dev/tcp/127.0.0.1/${ise_url##*:}; do :; done" 2>/dev/null
is "ISE is gone" "$(curl -s "$ise_url/admin/API/mnt/Version"; echo $?)" 7
fault '{"path":"/self","kind":"hang"}' >/dev/null
mist /self -m 0.2 >/dev/null
finish
