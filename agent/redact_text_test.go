package agent

import "testing"

// TestRedactText has the places of labels and messages where people put secrets, and what only looks like one.
func TestRedactText(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"JSON in a label", `{"user":"bob","password":"hunter2"}`, `{"user":"bob","password":"[redacted]"}`},
		{"JSON with variables in a label", `[{"containerEnv":{"DB_PASSWORD":"hunter2","A":"b"}}]`, `[{"containerEnv":{"DB_PASSWORD":"[redacted]","A":"b"}}]`},
		{"JSON in JSON", `{"a":"{\"token\":\"hunter2\"}"}`, `{"a":"{\"token\":\"[redacted]\"}"}`},
		{"JSON without a secret keeps its bytes", `{ "a" : [1.50, "x y"] }`, `{ "a" : [1.50, "x y"] }`},
		{"JSON in a command", `curl -d {"user":"bob","password":"hunter2"} http://h/`, `curl -d {"user":"bob","password":"[redacted]"} http://h/`},
		{"quoted JSON in a command", `sh -c "curl -d '{\"a\": 1, \"token\": \"hunter2\"}' h"`, `sh -c "curl -d '{\"a\": 1, \"token\": \"[redacted]\"}' h"`},
		{"torn JSON", `{"password":"hunter2`, `{"password":"[redacted]`},
		{"a number as a secret", `x {"a":1,"password": 12345}`, `x {"a":1,"password": "[redacted]"}`},
		{"the query of a URL", "https://h/x?a=1&access_token=hunter2&b=2", "https://h/x?a=1&access_token=[redacted]&b=2"},
		{"options of a mount", "-o username=bob,password=hunter2,uid=1000", "-o username=bob,password=[redacted],uid=1000"},
		{"a connection string", "Server=db;User Id=sa;Password=hunter2;Port=1", "Server=db;User Id=sa;Password=[redacted];Port=1"},
		{"a variable in a flag", "run --env=DB_PASSWORD=hunter2 x", "run --env=DB_PASSWORD=[redacted] x"},
		{"the hash of a password", "admin:$apr1$abcdefgh$ijklmnopqrstuvwxyz0123", "admin:[redacted]"},
		{"a bcrypt hash", "x $2y$05$abcdefghijklmnopqrstuvwxyz0123", "x [redacted]"},
		{"user and password of curl", "curl -u bob:hunter2 http://h/", "curl -u bob:[redacted] http://h/"},
		{"the same as a long flag", "curl --user=bob:hunter2 h", "curl --user=bob:[redacted] h"},
		{"the password of redis", "redis-cli -a hunter2 ping", "redis-cli -a [redacted] ping"},
		{"the password of sshpass", "/usr/bin/sshpass -p hunter2 ssh h", "/usr/bin/sshpass -p [redacted] ssh h"},
		{"a password in a sentence", "login with password: hunter2", "login with password: [redacted]"},
		{"a token in a sentence", "PRIVATE-TOKEN: hunter2", "PRIVATE-TOKEN: [redacted]"},
		{"basic authentication", "got Basic Ym9iOmh1bnRlcjI= from x", "got Basic [redacted] from x"},
		{"several cookies", "curl -H 'Cookie: a=hunter2; b=hunter2' h", "curl -H 'Cookie: [redacted]' h"},
		{"the word basic is none", "a basic backup of bearer-app", "a basic backup of bearer-app"},
		{"a word after token", "invalid token: unexpected end", "invalid token: unexpected end"},
		{"an image", "pull lgsd/token-service:1.2-alpine failed", "pull lgsd/token-service:1.2-alpine failed"},
		{"an address", "ping auth-proxy:8080 and key:latest", "ping auth-proxy:8080 and key:latest"},
		{"an address in a URL", "get http://token-service:8080/x", "get http://token-service:8080/x"},
		{"a digest", "busybox@sha256:" + "0123456789abcdef0123456789abcdef", "busybox@sha256:" + "0123456789abcdef0123456789abcdef"},
		{"names", "auth-proxy", "auth-proxy"},
		{"a long name", "sk-learn-notebook-server", "sk-learn-notebook-server"},
		{"flags of curl in one word", "curl -sSu bob:hunter2 h", "curl -sSu bob:[redacted] h"},
		{"flags of curl and the value in one word", "/usr/bin/curl -fubob:hunter2 h", "/usr/bin/curl -fubob:[redacted] h"},
		{"a file of curl's is no user", "curl -ou http://h:80/", "curl -ou http://h:80/"},
		{"the password of mongosh in one word", "mongosh -u bob -phunter2", "mongosh -u bob -p[redacted]"},
		{"a program named in the arguments of another", "mysql -h mongo -phunter2 x", "mysql -h mongo -p[redacted] x"},
		{"the key of openssl", "openssl enc -aes-256-cbc -k hunter2 -in x", "openssl enc -aes-256-cbc -k [redacted] -in x"},
		{"user and password of smbclient", "smbclient -U bob%hunter2 //h/x", "smbclient -U bob%[redacted] //h/x"},
		{"the same as a long flag", "smbclient --user=bob%hunter2 //h/x", "smbclient --user=bob%[redacted] //h/x"},
		{"the password of docker login", "docker login -u bob -p hunter2 h", "docker login -u bob -p [redacted] h"},
		{"-p of docker run is a port", "docker run -p 80:80 web", "docker run -p 80:80 web"},
		{"the password of zip", "zip -P hunter2 a.zip x", "zip -P [redacted] a.zip x"},
		{"the password of 7z", "7z a -phunter2 a.7z x", "7z a -p[redacted] a.7z x"},
		{"the token of influx", "influx ping -t hunter2", "influx ping -t [redacted]"},
		{"a new password for chpasswd", "sh -c 'echo root:hunter2 | chpasswd'", "sh -c 'echo root:[redacted] | chpasswd'"},
		{"SQL", `psql -c "ALTER USER bob WITH PASSWORD 'hunter2' VALID UNTIL x"`, `psql -c "ALTER USER bob WITH PASSWORD '[redacted]' VALID UNTIL x"`},
		{"SQL without quotes around it", "mysql -e CREATE USER bob IDENTIFIED BY 'hunter2 x'; select 1", "mysql -e CREATE USER bob IDENTIFIED BY '[redacted]'; select 1"},
		{"SQL with a plugin", "CREATE USER b IDENTIFIED WITH sha2 BY 'hunter2'", "CREATE USER b IDENTIFIED WITH sha2 BY '[redacted]'"},
		{"SQL with =", "SET PASSWORD = 'hunter2'", "SET PASSWORD = '[redacted]'"},
		{"SQL that is cut off", "ALTER USER bob PASSWORD 'hunter2", "ALTER USER bob PASSWORD '[redacted]"},
		{"another user", "setpriv -u 1000:1000 x", "setpriv -u 1000:1000 x"},
	} {
		if got := redactText(tc.in); got != tc.want {
			t.Errorf("%s: redactText(%q)\n = %q\nwant %q", tc.name, tc.in, got, tc.want)
		}
		if again := redactText(tc.want); again != tc.want {
			t.Errorf("%s: redacted twice: %q, want %q", tc.name, again, tc.want)
		}
	}
}

// TestRedactJoined hides all of a secret that had spaces before Docker joined the arguments.
func TestRedactJoined(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"a variable", "env DB_PASSWORD=correct horse battery", "env DB_PASSWORD=[redacted]"},
		{"up to a flag", "env PGPASSWORD=correct horse psql -h db x", "env PGPASSWORD=[redacted] -h db x"},
		{"up to an assignment", "env TOKEN=a b C=d run", "env TOKEN=[redacted] C=d run"},
		{"up to an operator", "sh -c export TOKEN=a b && run x", "sh -c export TOKEN=[redacted] && run x"},
		{"up to a semicolon", "sh -c TOKEN=x; run it", "sh -c TOKEN=[redacted] run it"},
		{"the value of a flag", "app --password correct horse -v", "app --password [redacted] -v"},
		{"a flag with its value", "mysql -pcorrect horse", "mysql -p[redacted]"},
		{"a variable in a flag", "run --env=TOKEN=correct horse", "run --env=TOKEN=[redacted]"},
		{"quotes end a value", `sh -c TOKEN="correct horse" run x`, `sh -c TOKEN=[redacted] run x`},
		{"nothing secret", "sh -c exit 7", "sh -c exit 7"},
	} {
		if got := redactJoined(tc.in); got != tc.want {
			t.Errorf("%s: redactJoined(%q)\n = %q\nwant %q", tc.name, tc.in, got, tc.want)
		}
	}
}
