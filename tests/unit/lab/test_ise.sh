# ISE's APIs in the lab: MnT in XML with its oddities, CoA, ERS.
. "$(dirname "$0")/lib.sh"
mac=A4:83:E7:12:34:56
lab_start healthy

is "no password" "$(curl -s -o /dev/null -w '%{http_code}' "$ise_url/admin/API/mnt/Version")" 401
like "version" "$(ise /admin/API/mnt/Version)" '<type_of_node>0</type_of_node>'
like "active sessions" "$(ise /admin/API/mnt/Session/ActiveCount)" '<sessionCount><count>34</count></sessionCount>'
like "list of sessions" "$(ise /admin/API/mnt/Session/ActiveList)" "noOfActiveSession=\"34\".*<calling_station_id>$mac</calling_station_id>"

session=$(ise "/admin/API/mnt/Session/MACAddress/$mac")
like "session passed" "$session" '<passed xsi:type="xs:boolean"[^>]*>true</passed>'
for element in user_name nas_ip_address calling_station_id orig_calling_station_id acs_server authentication_protocol auth_acs_timestamp execution_steps \
    response audit_session_id posture_status selected_azn_profiles message_code identity_store framed_ip_address identity_group other_attr_string; do
    like "session has $element" "$session" "<$element>"
done
like "its rule" "$session" 'AuthorizationPolicyMatchedRule=Staff:!:'
like "lower case is a miss" "$(ise /admin/API/mnt/Session/MACAddress/a4:83:e7:12:34:56)" '<mnt-rest-result><http-code>404'
is "a miss is 404" "$(curl -s -o /dev/null -w '%{http_code}' -u "fettle:$(cat "$dir/ise.password")" "$ise_url/admin/API/mnt/Session/MACAddress/00:11:22:33:44:55")" 404
like "nothing in ten seconds" "$(ise "/admin/API/mnt/AuthStatus/MACAddress/$mac/10/20/All")" '<authStatusOutputList></authStatusOutputList>'
like "reasons" "$(ise /admin/API/mnt/FailureReasons)" '<failureReason id="22056"><code>22056 Subject not found.*<cause>.*<resolution>'

is "CoA" "$(ise "/admin/API/mnt/CoA/Reauth/ise-1/$mac/0" | tail -1)" '<remoteCoA requestType="reauth"><results>true</results></remoteCoA>'
is "client is away" "$(troubled state)" searching
is "CoA without a session" "$(ise "/admin/API/mnt/CoA/Reauth/ise-1/$mac/0" | tail -1)" '<remoteCoA requestType="reauth"><results>false</results></remoteCoA>'
advance 6
is "client is back" "$(troubled state)" up
like "authenticated again" "$(ise "/admin/API/mnt/AuthStatus/MACAddress/$mac/60/20/All")" "<authStatusList key=\"$mac\">.*<acs_timestamp>"
is "CoA by another node" "$(curl -s -o /dev/null -w '%{http_code}' -u "fettle:$(cat "$dir/ise.password")" "$ise_url/admin/API/mnt/CoA/Reauth/psn-9/$mac/0")" 500
holds "CoA counts as a write although it is a GET" "$(writes)" '[.[] | "\(.system) \(.method) \(.done)"] == ["ise GET true", "ise GET false", "ise GET false"]'

# --- order and types of attempts
lab_start dot1x_unknown_user
status=$(ise "/admin/API/mnt/AuthStatus/MACAddress/$mac/900/20/All")
like "both types of a boolean" "$status" 'xs:boolean"[^>]*>false</passed>.*xs:string"[^>]*>0</passed>'
times=$(grep -o '<acs_timestamp>[^<]*' <<<"$status")
is "not in the order of time" "$([ "$times" = "$(sort -r <<<"$times")" ] || [ "$times" = "$(sort <<<"$times")" ]; echo $?)" 1
is "as many as asked for" "$(ise "/admin/API/mnt/AuthStatus/MACAddress/$mac/900/3/All" | grep -o '<authStatusElements>' | wc -l)" 3

# --- ERS
is "no Accept header" "$(curl -s -o /dev/null -w '%{http_code}' -u "fettle:$(cat "$dir/ise.password")" -H 'Accept: text/plain' "$ise_url/ers/config/endpoint")" 415
holds "first page of endpoints" "$(ise /ers/config/endpoint)" '.SearchResult | .total == 34 and (.resources | length) == 20 and (.nextPage.href | endswith("size=20&page=2"))'
holds "too large a page" "$(ise '/ers/config/endpoint?size=101')" '.ERSResponse.messages[0].type == "ERROR"'
found=$(ise "/ers/config/endpoint?filter=mac.EQ.$mac")
holds "by MAC" "$found" '.SearchResult.total == 1'
id=$(jq -r '.SearchResult.resources[0].id' <<<"$found")
holds "one endpoint" "$(ise "/ers/config/endpoint/$id")" '.ERSEndPoint | .mac == "A4:83:E7:12:34:56" and .staticGroupAssignment == false and .link.rel == "self"'
holds "by name" "$(ise "/ers/config/endpoint/name/$mac")" '.ERSEndPoint.id != null'
holds "unknown endpoint" "$(ise /ers/config/endpoint/nobody)" '.ERSResponse.messages[0].title == "Resource not found"'
holds "node" "$(ise /ers/config/node/name/ise-1)" '.Node.primaryPapNode'
holds "certificate" "$(ise /api/v1/certs/system-certificate/ise-1)" '.response[0].usedBy | contains("EAP")'
is "apply a policy" "$(ise /ers/config/ancendpoint/apply -o /dev/null -w '%{http_code}' -X PUT \
    -d "{\"OperationAdditionalData\":{\"additionalData\":[{\"name\":\"macAddress\",\"value\":\"$mac\"},{\"name\":\"policyName\",\"value\":\"Quarantine\"}]}}")" 204
holds "it is listed" "$(ise /ers/config/ancendpoint)" '.SearchResult.total == 1'
is "clear it" "$(ise /ers/config/ancendpoint/clear -o /dev/null -w '%{http_code}' -X PUT -d "{\"ErsAncEndpoint\":{\"macAddress\":\"$mac\",\"policyName\":\"Quarantine\"}}")" 204
holds "it is gone" "$(ise /ers/config/ancendpoint)" '.SearchResult.total == 0'
finish
