package enginetest

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
)

// plant is a secret given to an engine, to shiplog or to a program that writes records. In its text CANARY
// stands for the secret, UPPER for the same in capitals, BASIC for what basic authentication makes of it, and
// MARK for a word that is no secret and tells the record.
type plant struct {
	place string
	text  string // of a line of bash, a body or a record, as the list says
	// told says that the engine's own stream carries the secret: then a record of it must be there, and the
	// test fails when the engine did not say it, since it would have tested nothing.
	told bool
}

// Each canary is a word of its own; none is a part of another. The engines repeat what an earlier run of the test
// did, so those of each run are others.
func canary(i int) string { return fmt.Sprintf("canary%03dx%05d", i, os.Getpid()) }
func mark(i int) string   { return fmt.Sprintf("mark%03dx%05d", i, os.Getpid()) }
func basic(i int) string  { return base64.StdEncoding.EncodeToString([]byte("user:" + canary(i))) }

// needles are the spellings in which the i-th canary could be stored, in small letters.
func needles(i int) []string {
	return []string{canary(i), strings.ToLower(strings.TrimRight(basic(i), "="))}
}

func (p plant) fill(i int) string {
	return strings.NewReplacer("CANARY", canary(i), "UPPER", strings.ToUpper(canary(i)), "BASIC", basic(i), "MARK", mark(i)).Replace(p.text)
}

// control is a word that is no secret, in the name of a container and so in all answers: who does not find it
// would not have found a secret.
const control = "controlxyz"

// plants are all, numbered by their place in this list.
var plants = slices.Concat(dockerLabels, dockerExecs, dockerOthers, incusPlants, recordPlants, journalPlants, socketPlants, requestPlants, keptPlants)

// number is the place of p in plants.
func number(p plant) int {
	return slices.IndexFunc(plants, func(q plant) bool { return p.place == q.place })
}

// dockerLabels are labels of a container each; dockerd says them with every event of it.
var dockerLabels = []plant{
	{"a label called password", "com.example.db.password=CANARY", true},
	{"a label called key", "com.example.apiKey=CANARY", true},
	{"JSON in a label", `com.example.conf={"user":"bob","password":"CANARY"}`, true},
	{"variables in JSON in a label", `com.example.spec=[{"environment":{"A":"CANARY"}}]`, true},
	{"a URL in a label", "com.example.db=postgres://bob:CANARY@db/x", true},
	{"a header in a label", "com.example.header=Authorization: Bearer CANARY", true},
	{"a JWT in a label", "com.example.note=eyJCANARY.CANARY.CANARY", true},
	{"a PEM in a label", "com.example.note=-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----", true},
	{"an AWS key in a label", "com.example.note=AKIAUPPER", true},
	{"a GitHub token in a label", "com.example.note=ghp_CANARYCANARY", true},
	{"a hash in a label", "traefik.http.routers.a.users=bob:$apr1$CANARY$CANARY", true},
	{"a connection string in a label", "com.example.dsn=Server=db;User Id=sa;Password=CANARY;Port=1", true},
	{"a command in a label", "com.example.run=backup --token CANARY", true},
	{"mount options in a label", "com.example.mount=username=bob,password=CANARY,uid=1000", true},
}

// dockerExecs are what is executed in a container. Nothing of it is there but sh and true; dockerd says the
// command before it fails.
var dockerExecs = []plant{
	{"a flag with =", "true MARK --password=CANARY", true},
	{"a flag and a word", "true MARK --token CANARY", true},
	{"two words after a flag", "true MARK --password 'CANARY CANARY' -v", true},
	{"mysql -p", "mysql MARK -uroot -pCANARY", true},
	{"mysqldump in a shell", "sh -c 'mysqldump MARK -uroot -pCANARY db >/dump'", true},
	{"a bearer header", "curl MARK -H 'Authorization: Bearer CANARY' http://h/", true},
	{"a bearer header in a shell", `sh -c 'curl MARK -H "Authorization: Bearer CANARY" http://h/'`, true},
	{"a basic header", "curl MARK -H 'Authorization: Basic BASIC' http://h/", true},
	{"a key header", "curl MARK -H 'X-Api-Key: CANARY' http://h/", true},
	{"a cookie", "curl MARK -b x -H 'Cookie: a=CANARY; b=CANARY' http://h/", true},
	{"curl -u", "curl MARK -u bob:CANARY http://h/", true},
	{"curl --user=", "curl MARK --user=bob:CANARY http://h/", true},
	{"curl --oauth2-bearer", "curl MARK --oauth2-bearer CANARY http://h/", true},
	{"curl in a path", "/usr/bin/curl MARK -sSu bob:CANARY http://h/", true},
	{"curl -d JSON", `curl MARK -d '{"user":"bob","password":"CANARY"}' http://h/`, true},
	{"curl -d form", "curl MARK -d 'user=bob&password=CANARY' http://h/", true},
	{"a query", "wget MARK 'http://h/x?a=1&access_token=CANARY&b=2'", true},
	{"wget --password", "wget MARK --http-password=CANARY http://h/", true},
	{"a URL", "psql MARK postgres://bob:CANARY@h/db", true},
	{"a URL without a user", "redis-cli MARK -u redis://:CANARY@h:6379/0", true},
	{"a connection string", "psql MARK 'host=h user=bob password=CANARY'", true},
	{"a PEM", "true MARK '-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----'", true},
	{"a JWT", "true MARK eyJCANARY.CANARY.CANARY", true},
	{"an AWS key", "true MARK AKIAUPPER", true},
	{"a Slack token", "true MARK xoxb-CANARY", true},
	{"a GitLab token", "true MARK glpat-CANARYCANARY", true},
	{"an assignment", "sh -c 'echo MARK; DB_PASSWORD=CANARY true'", true},
	{"env", "env MARK=1 PGPASSWORD=CANARY true", true},
	{"export", "sh -c 'echo MARK; export API_TOKEN=CANARY && true'", true},
	{"redis-cli -a", "redis-cli MARK -a CANARY ping", true},
	{"redis-cli --pass", "redis-cli MARK --pass CANARY ping", true},
	{"sshpass -p", "env MARK=1 sshpass -pCANARY ssh h", true},
	{"mongosh -p", "mongosh MARK -u bob -p CANARY", true},
	{"mongosh -p in one word", "mongosh MARK -u bob -pCANARY", true},
	{"ldapsearch -w", "ldapsearch MARK -D cn=bob -w CANARY", true},
	{"openssl pass:", "openssl rsa MARK -passin pass:CANARY", true},
	{"openssl -k", "openssl enc MARK -aes-256-cbc -k CANARY", true},
	{"gpg --passphrase", "gpg MARK --batch --passphrase CANARY -d x", true},
	{"smbclient -U", "smbclient MARK -U bob%CANARY //h/x", true},
	{"mount -o", "mount MARK -o username=bob,password=CANARY //h/x /y", true},
	{"rsync", "rsync MARK rsync://bob:CANARY@h/x /y", true},
	{"docker login", "docker login MARK -u bob -p CANARY h", true},
	{"chpasswd", "sh -c 'echo MARK; echo root:CANARY | chpasswd'", true},
	{"zip -P", "zip MARK.zip -P CANARY x", true},
	{"7z -p", "7z a MARK.7z -pCANARY x", true},
	{"influx -t", "influx ping MARK -t CANARY", true},
	{"vault login", "vault login MARK token=CANARY", true},
	{"SQL", `psql MARK -c "ALTER USER bob WITH PASSWORD 'CANARY'"`, true},
	{"SQL identified by", `mysql MARK -e "CREATE USER bob IDENTIFIED BY 'CANARY'"`, true},
}
