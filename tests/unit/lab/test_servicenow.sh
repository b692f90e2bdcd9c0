# The ticket system of the lab, with the habits of ServiceNow's Table API.
. "$(dirname "$0")/lib.sh"
lab_start healthy

holds "no password" "$(curl -s "$url/api/now/table/incident")" '.status == "failure" and .error.message == "User Not Authenticated"'
holds "unknown table" "$(snow /table/nonsense)" '.error.message == "Invalid table nonsense"'
headers=$(snow /table/incident -D - -o "$scratch/new" -d '{"short_description":"Wi-Fi is slow","impact":2,"urgency":"1","correlation_id":"fettle-7f3c","work_notes":"seen","made_up_field":"x"}')
like "created" "$headers" '201'
new=$(jq .result "$scratch/new")
id=$(jq -r .sys_id <<<"$new")
like "where it is" "$headers" "Location: $url/api/now/table/incident/$id"
holds "all values are texts, the priority is computed" "$new" '.impact == "2" and .priority == "2" and .state == "1" and .active == "true" and (.number | startswith("INC"))'
holds "an unknown field is dropped without a word" "$new" 'has("made_up_field") | not'
holds "work notes read back empty" "$new" '.work_notes == ""'
holds "they are in the journal" "$(snow "/table/sys_journal_field?sysparm_query=element_id=$id^element=work_notes")" '[.result[].value] == ["seen"]'
holds "found by its correlation" "$(snow '/table/incident?sysparm_query=correlation_id=fettle-7f3c^active=true&sysparm_fields=number,sys_id')" '.result | length == 1 and (.[0] | keys == ["number","sys_id"])'
holds "not found" "$(snow '/table/incident?sysparm_query=correlation_id=other')" '.result == []'
holds "an invalid field in a query is dropped, and matches too much" "$(snow '/table/incident?sysparm_query=no_such_field=1')" '.result | length == 1'
holds "either of two" "$(snow '/table/incident?sysparm_query=correlation_id=other^ORcorrelation_id=fettle-7f3c')" '.result | length == 1'
holds "part of a text" "$(snow '/table/incident?sysparm_query=short_descriptionLIKEslow')" '.result | length == 1'
holds "unknown record" "$(snow /table/incident/0123)" '.error.message == "No Record found"'
holds "no resolving without a reason" "$(snow "/table/incident/$id" -X PATCH -d '{"state":"6"}')" '.error.detail | contains("Resolution code")'
holds "still new" "$(snow "/table/incident/$id")" '.result.state == "1"'
holds "resolved" "$(snow "/table/incident/$id" -X PATCH -d '{"state":"6","close_code":"Solution provided","close_notes":"freed leases"}')" '.result | .state == "6" and .resolved_at != ""'
holds "the number stays" "$(snow "/table/incident/$id" -X PATCH -d '{"number":"INC1","priority":"1"}')" '.result | .number != "INC1" and .priority == "2"'
is "bad body" "$(snow "/table/incident/$id" -o /dev/null -w '%{http_code}' -X PATCH -d '{x')" 400
holds "attachment" "$(snow "/attachment/file?table_name=incident&table_sys_id=$id&file_name=report.html" --data-binary '<p>evidence</p>')" '.result | .file_name == "report.html" and .size_bytes == "15"'
holds "people" "$(snow '/table/sys_user?sysparm_query=user_name=j.doe')" '.result[0].email == "j.doe@corp.example"'
for n in 1 2 3; do snow /table/incident -d "{\"short_description\":\"n$n\"}" >/dev/null; done
holds "sorted and cut" "$(snow '/table/incident?sysparm_query=ORDERBYDESCnumber&sysparm_limit=2&sysparm_offset=1')" '[.result[].short_description] == ["n2","n1"]'
like "how many in all" "$(snow '/table/incident?sysparm_limit=1' -D - -o /dev/null)" 'X-Total-Count: 4'
is "deleted" "$(snow "/table/incident/$id" -o /dev/null -w '%{http_code}' -X DELETE)" 204
is "gone" "$(snow "/table/incident/$id" -o /dev/null -w '%{http_code}')" 404

# --- the webhook sink
is "hook" "$(curl -s -H 'Content-Type: application/json' -d '{"text":"hello"}' "$url/hook/noc")" ok
holds "what it got" "$(state .hooks)" '.[0].path == "/hook/noc" and .[0].body.text == "hello"'
holds "and in the record" "$(writes)" '.[-1] | .system == "hook" and .done'
finish
