package enginetest

// dockerOthers are the other places in which Docker takes secrets. Where told is false, dockerd keeps them to
// itself, today.
var dockerOthers = []plant{
	{"a variable", "docker create --name MARK -e DB_PASSWORD=CANARY busybox", false},
	{"a variable with a harmless name", "docker create --name MARK -e COLOUR=CANARY busybox", false},
	{"a container's command", "docker create --name MARK busybox app --password=CANARY", false},
	{"a variable of an exec", "docker exec -e API_KEY=CANARY canary true MARK", false},
	{"a health check", `docker run -d --name MARK --health-cmd 'test -e /ok; curl -u bob:CANARY http://h/' --health-interval 300ms --health-retries 1 busybox sleep 1000
		until [ "$(docker inspect -f '{{.State.Health.Status}}' MARK)" = unhealthy ]; do sleep 0.1; done`, true},
	{"a program that is not there", "! docker run --name MARK busybox '/no/such?token=CANARY'", false},
	{"a label that goes along with a rename", "docker create --name MARK --label com.example.token=CANARY busybox && docker rename MARK MARKb", true},
	{"options and labels of a volume", `docker volume create --label com.example.password=CANARY -o type=tmpfs -o device=tmpfs -o o=size=1m,password=CANARY MARK
		docker volume rm MARK`, false},
	{"options and labels of a network", `docker network create --label com.example.password=CANARY -o com.example.token=CANARY MARK
		docker network rm MARK`, false},
	{"a label and a variable of an image", `docker create --name MARK busybox
		docker commit -c 'LABEL com.example.password=CANARY' -c 'ENV API_TOKEN=CANARY' MARK MARK:v1
		docker tag MARK:v1 MARK:v2 && docker rmi MARK:v1 MARK:v2`, true},
	{"an argument of a build", `printf 'FROM busybox\nARG TOKEN\nLABEL com.example.token=CANARY\nRUN true\n' |
		DOCKER_BUILDKIT=0 docker build -q --build-arg TOKEN=CANARY -t MARK - && docker tag MARK MARK:v2 && docker rmi MARK MARK:v2`, true},
}

// incusPlants are for Incus. icanary runs; most of its settings incusd keeps to itself.
var incusPlants = []plant{
	{"incus: a variable of an exec", "incus exec icanary --env SECRET=CANARY -- true MARK", true},
	{"incus: a variable of an exec with a harmless name", "incus exec icanary --env COLOUR=CANARY -- true MARK", true},
	{"incus: a flag with =", "incus exec icanary -- true MARK --password=CANARY", true},
	{"incus: a flag and a word", "incus exec icanary -- true MARK --token CANARY", true},
	{"incus: a secret of two words", "incus exec icanary -- true MARK --password 'CANARY CANARY'", true},
	{"incus: mysql -p", "! incus exec icanary -- mysql MARK -uroot -pCANARY", true},
	{"incus: mysql in a shell", "incus exec icanary -- sh -c 'echo MARK; true mysql -pCANARY'", true},
	{"incus: a header", "! incus exec icanary -- curl MARK -H 'Authorization: Bearer CANARY' http://h/", true},
	{"incus: curl -u", "! incus exec icanary -- curl MARK -u bob:CANARY http://h/", true},
	{"incus: a PEM", "incus exec icanary -- true MARK '-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----'", true},
	{"incus: a JWT", "incus exec icanary -- true MARK eyJCANARY.CANARY.CANARY", true},
	{"incus: a URL", "incus exec icanary -- true MARK postgres://bob:CANARY@h/db", true},
	{"incus: openssl", "incus exec icanary -- true MARK -passin pass:CANARY", true},
	{"incus: smbclient", "! incus exec icanary -- smbclient MARK -U bob%CANARY //h/x", true},
	{"incus: docker login", "! incus exec icanary -- docker login MARK -u bob -p CANARY h", true},
	{"incus: a variable of the instance", "incus config set icanary environment.DB_PASSWORD=CANARY", false},
	{"incus: a variable with a harmless name", "incus config set icanary environment.COLOUR=CANARY", false},
	{"incus: a key of the user called secret", "incus config set icanary user.secret=CANARY", false},
	{"incus: a key of the user", "incus config set icanary user.note=CANARY", false},
	{"incus: cloud-init", `incus config set icanary cloud-init.user-data="$(printf '#cloud-config\npassword: CANARY\n')"`, false},
	{"incus: user-data", `incus config set icanary user.user-data="$(printf '#cloud-config\nchpasswd: {list: [root:CANARY]}\n')"`, false},
	{"incus: raw.lxc", "incus config set icanary raw.lxc='lxc.environment = TOKEN=CANARY'", false},
	{"incus: options of a disk", "incus config device add icanary d disk source=/usr path=/x raw.mount.options=username=bob,password=CANARY", false},
	{"incus: settings of a new instance", "incus -q init busybox MARK -c environment.X=CANARY -c user.password=CANARY && incus rename MARK MARKb && incus delete MARKb", false},
	{"incus: a profile", "incus profile create MARK && incus profile set MARK user.token=CANARY && incus profile delete MARK", false},
	{"incus: a project", "incus project create MARK -c user.token=CANARY && incus project delete MARK", false},
	{"incus: a network", "incus network set incusbr0 user.token=CANARY && incus network unset incusbr0 user.token", false},
	{"incus: a volume", "incus storage volume create default MARK user.token=CANARY && incus storage volume delete default MARK", false},
	{"incus: an error of an operation", `! printf 'devices:\n  d:\n    type: disk\n    source: /MARK?token=CANARY\n    path: /x\n' | incus -q init busybox MARK`, true},
	{"incus: an image from a URL", "! incus image import 'https://bob:CANARY@127.0.0.1:1/MARK?token=CANARY'", false},
}

// keptPlants are not redacted, by the rules: nothing marks them as secrets. They are asserted so that the rules
// and this list stay true.
var keptPlants = []plant{
	{"kept: a label with a harmless name and any value", "docker create --name MARK --label com.example.note=CANARY busybox", true},
	{"kept: a name", "docker create --name MARKCANARY busybox", true},
	{"kept: an argument without a flag", "docker exec canary true MARK CANARY", true},
	{"kept: a short flag of an unknown program", "docker exec canary true MARK -x CANARY", true},
	{"kept: the password of htpasswd, which has no flag", "docker exec canary htpasswd -bc MARK bob CANARY || true", true},
	{"kept: a variable in JSON whose place and name say nothing", `docker create --name MARK --label 'com.example.spec={"containerEnv":{"A":"CANARY"}}' busybox`, true},
	{"kept: an argument without a flag of Incus", "incus exec icanary -- true MARK CANARY", true},
	{"kept: a word of a message", `"$BIN" record --data "$DATA" --category backup --message "MARK CANARY"`, false},
	{"kept: what a program says of status, code, object and user", `"$BIN" record --data "$DATA" --category backup --message MARK ` +
		`--status password=CANARY --code token=CANARY --object-id CANARY --object-name CANARY --user CANARY`, false},
}
