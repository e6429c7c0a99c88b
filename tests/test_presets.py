"""The shipped sets of rules: what each rule merges, what it keeps apart, and that none is idle or slow."""

import time
from typing import Final, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore.masks import PRESET_NAMES, Masker, Rule, RuleSet, check_set, dump_set, parse_sets, preset
from logstore.masks.redaction import Redactor


def shipped(name: str) -> RuleSet:
    found = preset(name)
    assert found is not None
    return found


class Pair(NamedTuple):
    """Two changes to the example of a rule: one that hides nothing from a reader, one that must show."""

    volatile: str
    other: str
    evidence: str
    changed: str


PAIRS: Final = {
    "cluster": {
        "time-ctime": Pair("00:25:45", "00:31:29", "rc=7", "rc=1"),
        "time-mail": Pair("Sun, 22 Nov 2026 00:24:34", "Mon, 23 Nov 2026 10:29:07", "failed", "changed"),
        "time-iso": Pair("00:25:43", "00:25:44", "(98:", "(13:"),
        "time-of-run": Pair("1795307145", "1795307488", "rc-code=7", "rc-code=1"),
        "time-of-failure": Pair("1795307145", "1795307488", "p_web#monitor_3000", "p_vip#monitor_2000"),
        "time-of-last-failure-value": Pair("1795307479", "1795307488", "p_worker", "p_web"),
        "time-of-failed-operation": Pair("1795307145", "1795307488", "rc=7", "rc=1"),
        "time-of-shutdown": Pair("1795307751", "1795307752", "shutdown[alfa2]", "shutdown[alfa1]"),
        "time-of-signal": Pair("1795307562", "1795307563", "SIGTERM", "SIGINT"),
        "time-of-schedule": Pair("1795307150413", "1795307190413", "2400.0000", "800.0000"),
        "ring-buffer": Pair("38-3426-9-08nZAV", "38-3427-10-fpostw", "event-attrd", "event-crmd"),
        "cib-file": Pair("RnQxSb", "k3BqZ7", "Reading", "Writing"),
        "cib-archive": Pair("cib-8.raw", "cib-19.raw", "/var/lib", "/srv/lib"),
        "scheduler-input": Pair("36", "37", "pe-input", "pe-error"),
        "temporary-file": Pair("k3BqZ7Lw0a", "Q0aYb5cXd7", "No such file or directory", "Permission denied"),
        "redis-temporary-file": Pair("temp-1311", "temp-92", "Permission denied", "No space left"),
        "transition-key": Pair("11:1:7", "12:35:7", "=11:1:7", "=11:1:0"),
        "transition-magic": Pair(";22:1:0", ";24:45:0", "0:7;", "0:0;"),
        "uuid": Pair("0918b71f", "59e6ae5d", "complete", "failed"),
        "cib-digest": Pair("4be4b076", "a867906b", "alfa2", "alfa1"),
        "cib-diff": Pair("0.6.0 1252a6926d61f767d99523ee9d8e1ee5", "0.6.1 (null)", "+++", "---"),
        "cib-patch": Pair("0.8.130 to 0.8.129", "0.8.131 to 0.8.130", "Can", "Cannot"),
        "cib-replaced": Pair("0.8.70 with 0.8.70", "0.9.1 with 0.9.1", "alfa2", "alfa1"),
        "cib-version-result": Pair("0.8.130", "0.8.131", "rc=0", "rc=-62"),
        "cib-version-of-change": Pair("0.8.7", "0.8.8", "fail-count-p_web", "fail-count-p_vip"),
        "cib-version-written": Pair("0.5.0", "0.6.0", "Wrote", "Could not write"),
        "cib-version-sent": Pair("0.5.6 (0x55ad24b01fd0 0)", "0.6.0 (0x55ad24b01fe0 1)", "alfa2", "alfa1"),
        "cib-updates": Pair("130", "131", "@num_updates", "@epoch=1, @num_updates"),
        "cib-epoch": Pair("5", "6", "@epoch", "@num_updates=0, @epoch"),
        "cib-generation": Pair('"8" num_updates="35"', '"9" num_updates="0"', "3.16.1", "3.19.0"),
        "request-origin": Pair("crmd/131", "crmd/132", "origin=local", "origin=alfa1"),
        "call": Pair("27", "28", "rc=7", "rc=0"),
        "numbered-call": Pair("82", "5", "Parsing", "Parsed"),
        "cib-call": Pair("46", "47", "1 change", "2 changes"),
        "client-request": Pair("request 5", "request 6", "st_fence_history", "st_execute"),
        "operation-call": Pair("31", "60", "p_ping", "p_vip"),
        "operation-call-of-resource": Pair(":31", ":60", "cancelled", "failed"),
        "transition": Pair("14", "46", "Incomplete=0", "Incomplete=1"),
        "graph": Pair("46", "47", "3 actions", "4 actions"),
        "action": Pair("action 12", "action 7", "alfa2", "alfa1"),
        "calculation": Pair("1795307489-118", "1795307490-119", "obsolete", "current"),
        "join-round": Pair("join-2", "join-3", "alfa1", "alfa2"),
        "election-round": Pair("round 3", "round 4", "lost", "won"),
        "group-event": Pair("event 3", "event 4", "alfa2 (node 2)", "alfa1 (node 1)"),
        "membership": Pair("membership=16", "membership=20", "members=2", "members=1"),
        "ring-of-membership": Pair("(1.11)", "(1.15)", "joined: 2", "left: 2"),
        "ring-id": Pair("1.9", "1.d", "(1.", "(2."),
        "ring-id-of-callback": Pair("1.11", "1.15", "nodelist", "quorum"),
        "ring-sequence": Pair("11", "1a", "Storing", "Restoring"),
        "totem-sequence": Pair("aru 22", "aru 23", "flag 1", "flag 0"),
        "retransmit-list": Pair("1a4 1a5 1a6", "2f", "Retransmit", "No Retransmit"),
        "address": Pair("0x55ff1d5ee920", "0x7f3a005ee740", "init", "exit"),
        "fencing-operation": Pair("9fa2dd1e", "0c1b2d3e", "alfa2", "alfa3"),
        "fencing-client": Pair(".40@", ".4711@", "OK", "No data available"),
        "pid-change": Pair("11 to 92", "92 to 261", "redis", "nginx"),
        "pid-upper": Pair("2019", "27541", "status 0", "status 7"),
        "pid-lower": Pair("92", "261", "is running", "is stopped"),
        "pid-of-operation": Pair("27469", "27470", "monitor_3000", "stop_0"),
        "pid-of-daemon": Pair("[38]", "[20748]", "signal 9", "signal 11"),
        "pid-of-process": Pair("20748", "38", "signal 15", "signal 9"),
        "pid-of-child": Pair("20748", "38", "attrd", "based"),
        "pid-of-client": Pair("27748", "34", "connecting to", "refusing"),
        "pid-of-named-client": Pair("5973", "637", "complete", "timed out"),
        "pid-of-killed": Pair("25127", "25128", "No such process", "Operation not permitted"),
        "pid-of-signalled": Pair("92:", "261:", "SIGTERM", "SIGINT"),
        "pid-of-nginx": Pair("31#31: *4 ", "32#32: *5 ", "(111:", "(110:"),
        "execution-time": Pair("5ms", "73ms", "status 0", "status 1"),
        "queued-time": Pair("1ms", "20ms", "status 7", "status 0"),
        "operation-time": Pair("104", "53", "op-status=0", "op-status=2"),
        "load": Pair("3.350000", "3.620000", "High", "Moderate"),
        "load-ticks": Pair("4 ticks", "2 ticks", "cib", "controld"),
        "cpu-seconds": Pair("2s", "3s", "Current", "Last"),
        "cpu-microseconds": Pair("120363us", "7us", "0s", "1s"),
        "pause": Pair("3123", "4001", "flushing", "keeping"),
        "token-silence": Pair("2250", "2251", "Token", "A Token"),
        "timer-delay": Pair("2.104317", "3.000001", "thread timer", "read timer"),
        "monit-reading": Pair("63.7%", "96.3%", "> 60.0%", "> 80.0%"),
        "monit-current": Pair("53.7%", "52.9%", "succeeded", "failed"),
        "response-time": Pair("0.354", "0.412", ":7001", ":7002"),
        "redis-memory": Pair("876296", "925696", "0 clients", "3 clients"),
        "redis-copy-on-write": Pair("peak 1 MB", "peak 12 MB", "RDB", "AOF"),
        "redis-snapshot-memory": Pair("0.90", "1.10", "created", "created at most"),
        "redis-snapshot-age": Pair("12", "4000", "RDB", "Old RDB"),
        "redis-loading-time": Pair("0.001", "2.500", "append only file", "disk"),
        "redis-transfer": Pair("175", "90210", "to disk", "to parser"),
        "redis-offset": Pair("4711", "4712", "accepted", "refused"),
        "redis-new-replication-id": Pair("8e1ee512", "00112233", "New", "Old"),
        "redis-replication-id": Pair(":4711", ":9000", "Full", "Partial"),
        "client-port": Pair("41972", "56992", "127.0.0.1", "10.77.1.2"),
    },
    "network": {
        "mac-address": Pair("52:54:00:12:34:56", "00-16-3E-aa-bb-cc", "eth0", "eth1"),
        "ipv4-endpoint": Pair("203.0.113.9#41972", "198.51.100.7#53001", "denied", "allowed"),
        "ipv4-address": Pair("203.0.113.9", "198.51.100.255", "root", "admin"),
        "ipv6-endpoint": Pair("[2001:db8::9]:41972", "[::1]:7", "refused", "closed"),
        "ipv6-address": Pair("2001:db8::9", "fe80::5054:ff:fe12:3456%eth0", "root", "admin"),
        "peer-port": Pair("51234", "40022", "ssh2", "ssh1"),
        "source-port": Pair("51234", "40022", "DPT=22", "DPT=23"),
        "packet-id": Pair("54321", "1", "TTL=51", "TTL=64"),
        "connection": Pair("1004", "1005", "by peer", "by us"),
        "connection-of-nginx": Pair("*4711", "*4712", "(2:", "(13:"),
        "session": Pair("4711", "c12", "root", "admin"),
        "address-of-object": Pair("0x7f2a5c0013a8", "0x7f2a5c00ffff", "denied", "allowed"),
    },
    "secrets": {
        "private-key": Pair("MIIBOgIBAAJBAKj34GkxFhD9", "Proc-Type: 4,ENCRYPTED\n\nAAAA", "RSA", "EC"),
        "private-key-line": Pair("MIIBOgIBAAJB", "abcdef012345", "KLs1Pt8Qu", "KLs1Pt8Q"),
        "aws-key-id": Pair("AKIAIOSFODNN7EXAMPLE", "ASIA0123456789ABCDEF", "signed", "refused"),
        "github-token": Pair("ghp_a1B2", "gho_ZZZZ", "cloned", "pushed"),
        "github-fine-grained-token": Pair("11ABC", "22XYZ", "cloned", "pushed"),
        "gitlab-token": Pair("abcDEF", "uvwXYZ", "cloned", "pushed"),
        "slack-token": Pair("xoxb-2048", "xoxp-1024", "posted", "deleted"),
        "stripe-key": Pair("sk_live_a1", "rk_test_b2", "charged", "refunded"),
        "google-key": Pair("SyA123", "SyB456", "map", "route"),
        "openai-key": Pair("abcd1234", "wxyz9876", "asked", "answered"),
        "json-web-token": Pair("dozjgNryP4J3jVm", "AAAABBBBCCCCDDD", "checked", "refused"),
        "password-hash": Pair("Zq3vN8kQ", "00000000", "$6$", "$5$"),
        "url-password": Pair("hunter2", "p%40ss:w*rd", "app:", "root:"),
        "url-token": Pair("0123456789abcdef", "fedcba9876543210", "a.git", "b.git"),
        "url-signature": Pair("Zm9vYmFyYmF6", "YQ%3D%3D", " 200", " 403"),
        "url-key": Pair("hunter2", "c0rrect,horse", "200", "403"),
        "webhook": Pair("T0/B0/hunter2", "T1/x", "200", "403"),
        "authorization": Pair("dXNlcjpodW50ZXIy", "cm9vdDp4", "Basic", "Bearer"),
        "authorization-without-scheme": Pair(
            "0123456789", "9876543210aaaa", "Authorization", "Proxy-Authorization"
        ),
        "authorization-short": Pair("hunter2", "a1-b2", "authorization", "proxy-authorization"),
        "authorization-capital": Pair("hunter2", "a1-b2", "BEARER", "BASIC"),
        "digest": Pair("0f1e2d3c", "99aabbcc", "alice", "bob"),
        "amazon-signed": Pair("0f1e2d3c", "99aabbcc", "host;", "host;range;"),
        "bearer": Pair("a1b2c3d4", "Z9y8X7w6", "sent", "refused"),
        "cookie-capital": Pair("hunter2", "0ther", "HTTP_COOKIE", "COOKIE"),
        "cookie": Pair("s3cr3t", "0ther", "Set-Cookie", "Cookie"),
        "argument": Pair("'correct horse'", "hunter2", "--verbose", "--quiet"),
        "argument-in-list": Pair("correct horse", "it's", "--verbose", "--quiet"),
        "xml-pair": Pair("calvin", "correct horse", "ipmi", "ilo"),
        "xml-pair-value-first": Pair("calvin", "correct horse", "nvpair", "attribute"),
        "xml-element": Pair("hunter2", "correct horse", "<db>", "<mq>"),
        "json-pair": Pair("hunter2", 'quo\\"ted', "DB_PASSWORD", "MQ_PASSWORD"),
        "object": Pair("hunter2", 'hunter2", "ttl": "9', "alice", "bob"),
        "list": Pair("hunter2", "a", "alice", "bob"),
        "password-quoted": Pair("hunter2", "correct horse", "app", "web"),
        "password-quoted-capital": Pair("hunter2", "correct horse", "SET", "set"),
        "identified": Pair("hunter2", "correct horse", "app", "web"),
        "password-for": Pair("hunter2", "c0rrect,horse", "alice", "bob"),
        "password": Pair("correct horse", 'quo\\"ted', "alice", "bob"),
        "password-capital": Pair("hunter2", "correct,horse", "-h db", "-h mq"),
        "pass": Pair("hunter2", "p%40ss<w>rd,", "alice", "bob"),
        "pass-capital": Pair("hunter2", "p%40ss", "alice", "bob"),
        "pw": Pair("hunter2", "correct,horse", "alice", "bob"),
        "psk": Pair("hunter2", "correct,horse", "wlan0", "wlan1"),
        "jwt": Pair("hunter2", "correct,horse", "alice", "bob"),
        "pwd": Pair("hunter2", "correct,horse", "alice", "bob"),
        "pwd-capital": Pair("hunter2", "correct,horse", "-h db", "-h mq"),
        "secret": Pair("hunter2", "correct,horse", "alice", "bob"),
        "secret-capital": Pair("wJal/rX+Ut", "AAAA/bbbb", "s3 ls", "s3 rm"),
        "key": Pair("hunter2", "correct,horse", "X-Api", "Y-Api"),
        "key-capital": Pair("hunter2", "correct,horse", "run", "stop"),
        "token": Pair("a1b2", "c3d4", "200", "403"),
        "token-capital": Pair("a1b2", "c3d4", "status", "seal"),
        "session": Pair("0f1e2d3c", "99aabbcc", "closing", "opening"),
        "session-capital": Pair("0f1e2d3c", "99aabbcc", "200", "403"),
        "keepalived": Pair("hunter2", "correct,horse", "PASS", "AH"),
        "amazon-signature": Pair("0f1e2d3c", "99aabbcc", "200", "403"),
        "redis-requirepass": Pair("hunter2", "correct,horse", "CONFIG", "config"),
        "redis-environment": Pair("hunter2", "correct,horse", "ping", "info"),
        "redis-masterauth": Pair("hunter2", "correct,horse", "CONFIG", "config"),
        "mysql": Pair("hunter2", "correct,horse", "shop", "crm"),
        "sshpass": Pair("hunter2", "correct,horse", "alice@db", "bob@db"),
        "curl": Pair("hunter2", "h:u@n/ter", "alice", "bob"),
        "redis-cli": Pair("hunter2", "correct,horse", "ping", "info"),
        "fence-agent": Pair("hunter2", "correct,horse", "status", "reboot"),
        "ipmitool": Pair("hunter2", "correct,horse", "status", "cycle"),
        "openssl": Pair("hunter2", "123456", "-passin", "-passout"),
        "redis-auth": Pair("hunter2", 'quo\\"ted horse', "alice", "bob"),
    },
}

MERGED: Final = (
    # Excerpts of the logs of a cluster and of a Monit that were run for this.
    (
        "New IPC client 12b61ce1-4ebd-42cb-b9c2-2dfa91960587 for PID 38 with uid 0 and gid 0",
        "New IPC client 59e6ae5d-0017-4fc5-b5de-c258de22cd18 for PID 27748 with uid 0 and gid 0",
    ),
    (
        "p_dummy1 monitor (call 24, PID 2019) exited with status 0 (execution time 5ms)",
        "p_dummy1 monitor (call 60, PID 27541) exited with status 0 (execution time 73ms)",
    ),
    (
        "Result of probe operation for p_web on alfa2: ok | CIB update 190, graph action confirmed; call=70",
        "Result of probe operation for p_web on alfa2: ok | CIB update 55, graph action confirmed; call=27",
    ),
    (
        "Transition 46 action 12 (p_ping_stop_0 on alfa1) confirmed: ok | rc=0 call-id=74",
        "Transition 45 action 24 (p_ping_stop_0 on alfa1) confirmed: ok | rc=0 call-id=86",
    ),
    (
        "Completed cib_modify operation for section status: OK (origin=alfa2/crmd/25, version=0.5.2)",
        "Completed cib_modify operation for section status: OK (origin=alfa2/crmd/251, version=0.8.130)",
    ),
    (
        "Closing ringbuffer: /dev/shm/qb-39-34-6-Hmn9Ps/qb-response-pengine-header",
        "Closing ringbuffer: /dev/shm/qb-39-34-6-3LsQLU/qb-response-pengine-header",
    ),
    (
        "'vm' loadavg per core (1min) of 1.7 matches resource limit [loadavg per core (1min) > 0.3]",
        "'vm' loadavg per core (1min) of 2.5 matches resource limit [loadavg per core (1min) > 0.3]",
    ),
    (
        "'rootfs' space usage 10.0% matches resource limit [space usage > 10.0%]",
        "'rootfs' space usage 11.1% matches resource limit [space usage > 10.0%]",
    ),
)

APART: Final = (
    ("p_web_monitor_3000[27469] exited with status 0", "p_web_monitor_3000[27469] exited with status 7"),
    ("p_web_monitor_3000[27469] exited with status 0", "p_web_monitor_0[27469] exited with status 0"),
    (
        "pacemaker-attrd[38] terminated with signal 9 (Killed)",
        "pacemaker-attrd[38] terminated with signal 15",
    ),
    (
        "Setting fail-count-p_worker#monitor_2000[alfa1]: 1 -> 2 | from alfa2 with no write delay",
        "Setting fail-count-p_worker#monitor_2000[alfa1]: 2 -> 3 | from alfa2 with no write delay",
    ),
    (
        "Expanded fail-count-p_worker#monitor_2000=value++ to 2",
        "Expanded fail-count-p_worker#monitor_2000=value++ to 3",
    ),
    (
        "Result of monitor operation for p_vip on alfa2: ok | rc=0",
        "Result of monitor operation for p_vip on alfa2: not running | rc=7",
    ),
    ("p_vip failed 1 time", "p_vip failed 2 times"),
    (
        "Adding inet address 10.77.1.100/24 to device eth0",
        "Adding inet address 10.77.1.101/24 to device eth0",
    ),
    ("Start 2000ms-interval monitor for p_vip on alfa1", "Start 1000ms-interval monitor for p_vip on alfa1"),
    ("p_vip monitor timed out after 20000ms", "p_vip monitor timed out after 10000ms"),
    ("Members[2]: 1 2", "Members[1]: 1"),
    ("node 1 state=1, votes=1, expected=2", "node 1 state=2, votes=1, expected=2"),
    ("total_votes=1, expected_votes=2", "total_votes=2, expected_votes=2"),
    ("my downlist: members(old:2 left:0)", "my downlist: members(old:2 left:1)"),
    ("Node alfa1[1] - corosync-cpg is now online", "Node alfa1[2] - corosync-cpg is now online"),
    (
        "Token Timeout (3000 ms) retransmit timeout (714 ms)",
        "Token Timeout (1000 ms) retransmit timeout (238 ms)",
    ),
    ("'redis' process is not running", "'redis' process is running with pid 92"),
    ("'pyprog' status failed (1) -- no output", "'pyprog' status failed (2) -- no output"),
    (
        "'redis' failed to stop (exit status 0) -- no output",
        "'redis' failed to stop (exit status 1) -- no output",
    ),
    (
        "'vm' cpu usage of 63.7% matches resource limit [cpu usage > 60.0%]",
        "'vm' cpu usage of 63.7% matches resource limit [cpu usage > 50.0%]",
    ),
    ("Background saving terminated by signal 9", "Background saving terminated by signal 11"),
    ("Running mode=standalone, port=7001.", "Running mode=standalone, port=7002."),
    (
        "(VI_1) Received advert from 10.0.0.2 with lower priority 100, ours 150",
        "(VI_1) Received advert from 10.0.0.2 with lower priority 90, ours 150",
    ),
    ("Script `chk_web` now returning 1", "Script `chk_web` now returning 0"),
    ("FSA action flags 0x40000000 (an_action)", "FSA action flags 0x80000000 (an_action)"),
)

SCRUBBED: Final = (
    ("PGPASSWORD=hunter2 psql -h db", "PGPASSWORD=<redacted> psql -h db"),
    ("Server=db;Password=hunter2;User=sa", "Server=db;Password=<redacted>;User=sa"),
    ("passwd: hunter2", "passwd: <redacted>"),
    ("'api_key': 'a b'", "'api_key': '<redacted>'"),
    (r"body {\"password\": \"a b\"}", r"body {\"password\": \"<redacted>\"}"),
    ("password%3Dhunter2%26user%3Dalice", "password%3D<redacted>%26user%3Dalice"),
    ("GET /?access_token=a1&x=1 200", "GET /?access_token=<redacted>&x=1 200"),
    ("aws_secret_access_key = wJal/rX+Ut", "aws_secret_access_key = <redacted>"),
    ("backup --api-token=a1b2 --all", "backup --api-token=<redacted> --all"),
    ('["--password", "a", "b"]', '["--password", "<redacted>", "b"]'),
    ("Authorization: Bearer a.b.c\nHost: db", "Authorization: Bearer <redacted>\nHost: db"),
    ("Cookie: a=b; c=d\nHost: db", "Cookie: <redacted>\nHost: db"),
    ("PHPSESSID=abcdef0123", "PHPSESSID=<redacted>"),
    ("password: ", "password: "),
    (
        "private_key: -----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----",
        "private_key: -----BEGIN PRIVATE KEY-----<redacted>-----END PRIVATE KEY-----",
    ),
    ('private_key="-----BEGIN PRIVATE KEY-----\nMII\n" mode=1', 'private_key="<redacted>" mode=1'),
    ("-----BEGIN PRIVATE KEY-----\nMII", "-----BEGIN PRIVATE KEY-----<redacted>"),
    ("mysql -phunter2", "mysql -p<redacted>"),
    (
        "/usr/bin/mariadb -u root -p'a b' -e 'SELECT 1;'",
        "/usr/bin/mariadb -u root -p'<redacted>' -e 'SELECT 1;'",
    ),
    ("mysql -h mysql.db -pa -P 3306", "mysql -h mysql.db -p<redacted> -P 3306"),
    ("['mysqladmin', '-uroot', '-pa', 'ping'] rc=1", "['mysqladmin', '-uroot', '-p<redacted>', 'ping'] rc=1"),
    ("sshpass -pa ssh -p 2222 db", "sshpass -p<redacted> ssh -p 2222 db"),
    ('sshpass -v -p "a b" ssh db', 'sshpass -v -p "<redacted>" ssh db'),
    ("['sshpass', '-p', 'a', 'ssh', 'db']", "['sshpass', '-p', '<redacted>', 'ssh', 'db']"),
    ("curl -sku alice:a:b https://db:80", "curl -sku alice:<redacted> https://db:80"),
    ("curl https://db --user 'alice:a b' -v", "curl https://db --user 'alice:<redacted>' -v"),
    ("curl --proxy-user=alice:a https://db", "curl --proxy-user=alice:<redacted> https://db"),
    ("['curl', '-u', 'alice:a', 'db']", "['curl', '-u', 'alice:<redacted>', 'db']"),
    ("wget --http-password=a --user=alice db", "wget --http-password=<redacted> --user=alice db"),
    ("redis-cli -p 6379 -a 'a b' info", "redis-cli -p 6379 -a '<redacted>' info"),
    ('["redis-cli", "-a", "a", "ping"]', '["redis-cli", "-a", "<redacted>", "ping"]'),
    ('12.5 [0 db:4] "auth" "a"', '12.5 [0 db:4] "auth" "<redacted>"'),
    ('"config" "set" "requirepass" "a"', '"config" "set" "requirepass" "<redacted>"'),
    ("openssl enc -pass pass:123 -in x", "openssl enc -pass pass:<redacted> -in x"),
    ("['-passout', 'pass:a b', '-in']", "['-passout', 'pass:<redacted>', '-in']"),
    ("{b'password': b'a b', b'n': 1}", "{b'password': b'<redacted>', b'n': 1}"),
    ("{'user': 'alice', 'password': 'a'}", "{'user': 'alice', 'password': '<redacted>'}"),
    ("[b'--password', b'a b', b'-v']", "[b'--password', b'<redacted>', b'-v']"),
    ("{b'Authorization': b'Basic dXNlcjpodW50ZXIy'}", "{b'Authorization': b'Basic <redacted>'}"),
    ('{"password": {"old": "a", "new": {"b": "c"}}, "n": 1}', '{"password": {<redacted>}, "n": 1}'),
    (r"{\"auth\": {\"value\": \"a\"}}", r"{\"auth\": {\"value\":<redacted>}}"),
    ("GET /maps?v=3&key=a&x=1 200", "GET /maps?v=3&key=<redacted>&x=1 200"),
    ("GET /a?x=1&Signature=a%2B&Expires=9 200", "GET /a?x=1&Signature=<redacted>&Expires=9 200"),
    ("X-API-KEY: a", "X-API-KEY: <redacted>"),
    ("API-KEY=a Api_KEY=b APIKey: c", "API-KEY=<redacted> Api_KEY=<redacted> APIKey: <redacted>"),
    ("signing_key=a hmac_key: b", "signing_key=<redacted> hmac_key: <redacted>"),
    ("HTTP_AUTHORIZATION=Bearer a", "HTTP_AUTHORIZATION=Bearer <redacted>"),
    ("AUTHORIZATION: 0123456789abcdef", "AUTHORIZATION: <redacted>"),
    ("('Authorization', 'Bearer a')", "('Authorization', 'Bearer <redacted>')"),
    ('{"authorization": "a7"}', '{"authorization": "<redacted>"}'),
    (
        'Authorization: Digest username="alice", realm="r", uri="/", response="0f1e"',
        'Authorization: Digest username="alice", realm="r", uri="/", response="<redacted>"',
    ),
    (
        "Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0f1e",
        "Authorization: AWS4-HMAC-SHA256 <redacted>, SignedHeaders=host, Signature=<redacted>",
    ),
    ("COOKIE: a=b; c=d\nHOST: db", "COOKIE: <redacted>\nHOST: db"),
    ('{"cookies": {"sid": "a"}, "n": 1}', '{"cookies": {<redacted>}, "n": 1}'),
    ("https://discord.com/api/webhooks/7/a-b 204", "https://discord.com/api/webhooks/7/<redacted> 204"),
    ("  auth_pass a", "  auth_pass <redacted>"),
    ('auth_pass "a b', 'auth_pass "<redacted> b'),
    ("fence_apc -a h -l u -pa -n 7", "fence_apc -a h -l u -p<redacted> -n 7"),
    ("['fence_ipmilan', '-p', 'a b', '-o', 'on']", "['fence_ipmilan', '-p', '<redacted>', '-o', 'on']"),
    ("/usr/bin/ipmitool -I lanplus -P a -p 623 sel", "/usr/bin/ipmitool -I lanplus -P <redacted> -p 623 sel"),
    ("<nvpair id='x' name='passwd' value='a\"b'/>", "<nvpair id='x' name='passwd' value='<redacted>'/>"),
    (r'"<nvpair name=\"passwd\" value=\"a\"/>"', r'"<nvpair name=\"passwd\" value=\"<redacted>\"/>"'),
    ("<nvpair value='a' name='pcmk_passwd'/>", "<nvpair value='<redacted>' name='pcmk_passwd'/>"),
    ('<Password type="x">a</Password>', '<Password type="x"><redacted></Password>'),
    ("<password><![CDATA[a]]></password>", "<password><![CDATA[<redacted></password>"),
    ('{"password": ["a", "b]c"], "n": [1]}', '{"password": <redacted>, "n": [1]}'),
    ("{'tokens': [['a'], 'b'], 'n': 1}", "{'tokens': <redacted>, 'n': 1}"),
    ('{"key":"api_key","value":"a b","n":1}', '{"key":"api_key","value":"<redacted>","n":1}'),
    ("user[password]=a&x=1", "user[password]=<redacted>&x=1"),
    ("user%5Bpassword%5D=a&x=1", "user%5Bpassword%5D=<redacted>&x=1"),
    ("$db['password'] = 'a b';", "$db['password'] = '<redacted>';"),
    ('"user[password]"=>"a"', '"user[password]"=>"<redacted>"'),
    ("password[]=a&password[0]=b", "password[]=<redacted>&password[0]=<redacted>"),
    (r"DB_PASSWORD=a\ b run", "DB_PASSWORD=<redacted> run"),
    ("ALTER ROLE app PASSWORD 'a b';", "ALTER ROLE app PASSWORD '<redacted>';"),
    ('GRANT ALL ON *.* TO app IDENTIFIED BY "a"', 'GRANT ALL ON *.* TO app IDENTIFIED BY "<redacted>"'),
    ("IDENTIFIED WITH caching_sha2_password BY 'a'", "IDENTIFIED WITH caching_sha2_password BY '<redacted>'"),
    ("New password for alice: hunter2", "New password for alice: <redacted>"),
    ('{"pass": "a b", "rc": 7}', '{"pass": "<redacted>", "rc": 7}'),
    ("dbPass=a Pass=b", "dbPass=<redacted> Pass=<redacted>"),
    ('{"psk": "a b", "pw": "c"}', '{"psk": "<redacted>", "pw": "<redacted>"}'),
    ("REDISCLI_AUTH='a b' redis-cli", "REDISCLI_AUTH='<redacted>' redis-cli"),
    ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABlwAAAAdzc2gtcn", "<redacted>"),
)

INNOCENT: Final = (
    "token timeout 3000 ms",
    "totem.token: 3000",
    "Token Timeout (3000 ms) retransmit timeout (714 ms)",
    "passwordless login",
    "lrm_rsc_op key=p_web_monitor_3000 rc=7",
    "Failed password for root from 203.0.113.9 port 51234 ssh2",
    "password authentication failed for user alice",
    '<parameter name="passwd" reloadable="1">',
    'op-secure-params="  passwd  "',
    "IPC credentials authenticated (/dev/shm/qb-35-34-12-gDw5Ew/qb)",
    "http://10.0.0.5:8080/a@b",
    "compass: north, bypass=1",
    "sudo: alice : TTY=pts/6 ; PWD=/srv/data ; USER=root ; COMMAND=/bin/true",
    "election-DC round 2 (owner node ID 1) pass: vote from alfa1 (Uptime)",
    "transition_key=24:27:0:5b8a1e1e-15ab-479f-a8a9-3a5acc33fcc5",
    "mysql -u root -p shop: rc=1",
    "mysqladmin --protocol=tcp -P3306 ping",
    "p_mysql monitor failed; crm_resource -r p_mysql -pfoo",
    "find /var/lib/mysql -print -perm 600",
    "docker run --name mysql -p3306:3306 mysql:8",
    "mysql -e 'SELECT 1' | ssh -p2222 db",
    "ssh -p 2222 db; mkdir -p/srv/data; ps -p38",
    "sshpass -f /etc/pw ssh -p 2222 db",
    "docker run -u 1000:1000 --user redis:redis redis",
    "curl: (7) Failed to connect to db port 80",
    "curl -u alice -A agent:7 --user-agent my:agent http://db:8080/x",
    "GET / 200 curl/7.88 -u a:b",
    "redis-cli -h db -p 6379 --all ping",
    "AUTH failed, auth ok, AUTH error",
    "ERR AUTH <password> called without any password configured",
    '"auth" "": failed',
    "first pass: 3, second pass:ok, pass: vote",
    "b'state': b'failed', 'rc': 7",
    '{"auth": {"result": "failed", "user": "alice"}}',
    '{"token": 3000, "tokens": {"count": 3}}',
    "pacemaker call=34 key=p_web_monitor_3000 rc=7, key=p_web",
    "gpg: bad signature, signature=bad, Signature: expired",
    "password expired, Password for alice: expired, password for root: rc=7",
    "password for alice: 2026-11-22T00:25:43",
    "Password for root accepted on try 2",
    "passwd[1234]: pam_unix(passwd:chauthtok): password changed for alice",
    "disk identified by 'sda', the password isn't 'set",
    '{"pass": 12, "fail": 0}',
    '{"pass": true, "secrets": 3, "cookies": 7}',
    '{"authorization": "failed", "rc": 7}',
    "Authorization, token expired",
    "AUTHORIZATION: failed",
    "COOKIE: none, cookies are on",
    "(VI_1) Truncating auth_pass to 8 characters",
    "fence_ipmilan: -o status failed, rc=1; ps -p 38",
    "fence_ipmilan -a h -p -o status",
    "ipmitool -H h -p 623 power status",
    '<nvpair name="is-managed" value="true"/>',
    '<nvpair value="true" name="is-managed"/>',
    '<password from="env"/> is up <b>',
    '{"name": "token", "value": "3000"}',
    '{"name": "db password check", "state": "failed", "value": "7"}',
    '{"tokens": [3000, 1000], "secrets": []}',
    "key_mgmt=WPA-PSK, psk: wrong, pw: wrong, jwt: expired, REDISCLI_AUTH unset",
    "registration token: 839f221f-ccb5-41f9-bf3b-8806f3a731db",
    "https://hooks.slack.com/services is down",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
    "digest MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu of a file",
    "=" * 64,
    "-----password a: -- token b",
)

RULES: Final = [
    pytest.param(name, rule, id=f"{name}-{rule.name}")
    for name in PRESET_NAMES
    for rule in shipped(name).rules
]
FRAGMENTS: Final = sorted(
    {rule.example for rule in shipped("secrets").rules} | {text for text, _ in SCRUBBED}
)


def masked(name: str, text: str) -> str:
    return Masker(shipped(name)).mask(text)[0]


def without(rules: RuleSet, rule: Rule) -> Masker:
    return Masker(rules._replace(rules=tuple(each for each in rules.rules if each is not rule)))


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_shipped_set_passes_the_check_that_users_sets_pass(name: str) -> None:
    check_set(shipped(name))


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_shipped_set_is_what_its_own_dump_says(name: str) -> None:
    assert parse_sets(dump_set(shipped(name)), "dump") == [shipped(name)]


def test_the_shipped_sets_have_their_names_and_kinds() -> None:
    assert {name: (shipped(name).name, shipped(name).kind) for name in PRESET_NAMES} == {
        "cluster": ("cluster", "masks"),
        "network": ("network", "masks"),
        "secrets": ("secrets", "redact"),
    }
    assert preset("none") is None
    assert preset("../cluster") is None


def test_every_shipped_rule_has_its_pairs() -> None:
    assert {name: [rule.name for rule in shipped(name).rules] for name in PRESET_NAMES} == {
        name: list(pairs) for name, pairs in PAIRS.items()
    }


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_a_rule_is_needed_for_its_example_and_leaves_its_counter_example(name: str, rule: Rule) -> None:
    rules = shipped(name)
    assert masked(name, rule.example) != without(rules, rule).mask(rule.example)[0]
    assert masked(name, rule.counter_example) == rule.counter_example


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_what_is_volatile_merges_by_this_rule_alone(name: str, rule: Rule) -> None:
    pair = PAIRS[name][rule.name]
    other = rule.example.replace(pair.volatile, pair.other, 1)
    assert other != rule.example
    assert masked(name, other) == masked(name, rule.example)
    idle = without(shipped(name), rule).mask
    assert idle(other)[0] != idle(rule.example)[0]


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_evidence_in_the_same_line_stays_apart(name: str, rule: Rule) -> None:
    pair = PAIRS[name][rule.name]
    changed = rule.example.replace(pair.evidence, pair.changed, 1)
    assert changed != rule.example
    assert masked(name, changed) != masked(name, rule.example)


@pytest.mark.parametrize(("one", "other"), MERGED)
def test_lines_that_say_the_same_merge(one: str, other: str) -> None:
    assert masked("cluster", one) == masked("cluster", other)


@pytest.mark.parametrize(("one", "other"), APART)
def test_lines_that_say_something_else_never_merge(one: str, other: str) -> None:
    assert masked("cluster", one) != masked("cluster", other)


def test_the_numbers_behind_a_line_come_in_order_of_place() -> None:
    line = "p_dummy2 stop (call 15) exited with status 0 (execution time 1.105s after being queued 20ms)"
    assert Masker(shipped("cluster")).mask(line) == (
        "p_dummy2 stop (call <call>) exited with status 0 (execution time <num>s after being queued <num>ms)",
        (1.105, 20),
    )


@pytest.mark.parametrize(("text", "scrubbed"), SCRUBBED)
def test_a_secret_goes_and_its_name_stays(text: str, scrubbed: str) -> None:
    assert masked("secrets", text) == scrubbed


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_sounds_like_a_secret_stays(text: str) -> None:
    assert masked("secrets", text) == text


@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), max_size=5),
    st.sampled_from(["", " ", "&", '"', "'", "\n"]),
)
@example(["--password ", '"a"b'], "")
def test_redacting_twice_is_redacting_once(parts: list[str], between: str) -> None:
    redactor = Redactor(shipped("secrets"))
    once = redactor.text(between.join(parts))
    assert redactor.text(once) == once


@given(st.integers(0, 40_000))
def test_a_secret_is_found_wherever_it_is_in_a_long_text(place: int) -> None:
    secret = "-----BEGIN PRIVATE KEY-----\n" + "MIIBOgIBAAJBAKj3\n" * 180 + "-----END PRIVATE KEY-----"
    text = ("x " * 20_000)[:place] + "\n" + secret + "\n" + "y " * 20_000
    assert "MII" not in masked("secrets", text)


@pytest.mark.parametrize(
    "unit", ["-", "--a", "--a ", " ", "a", "password=", '"', '{"a":', "x=1&", "\\", "Authorization: ", "a\n"]
)
def test_a_long_text_of_anything_takes_a_time_that_grows_with_it(unit: str) -> None:
    """No rule may look far from each character: a row of hyphens once took 22 µs for each of them."""
    text = unit * (200_000 // len(unit))
    started = time.process_time()
    Redactor(shipped("secrets")).text(text)
    assert time.process_time() - started < 1
