package cli

import (
	"fmt"
	"math/rand/v2"
	"time"

	"shiplog/format"
)

const demoDays = 90

// demoImages are the containers of the made-up box; mem is in MiB.
var demoImages = []struct {
	name, image string
	mem         int64
	port        int
}{
	{"nextcloud", "nextcloud:30", 412, 8080}, {"nextcloud-db", "mariadb:11", 268, 0}, {"nextcloud-redis", "redis:7", 19, 0},
	{"immich", "immich-app/immich-server:v1", 530, 2283}, {"immich-ml", "immich-app/immich-machine-learning:v1", 1710, 0},
	{"immich-db", "postgres:16", 301, 0}, {"jellyfin", "jellyfin/jellyfin:10", 688, 8096}, {"sonarr", "linuxserver/sonarr:4", 190, 8989},
	{"radarr", "linuxserver/radarr:5", 177, 7878}, {"prowlarr", "linuxserver/prowlarr:1", 121, 9696}, {"qbittorrent", "linuxserver/qbittorrent:5", 233, 8081},
	{"vaultwarden", "vaultwarden/server:1", 64, 8082}, {"paperless", "paperless-ngx/paperless-ngx:2", 455, 8000}, {"paperless-db", "postgres:16", 144, 0},
	{"gitea", "gitea/gitea:1.24", 160, 3000}, {"grafana", "grafana/grafana:12", 98, 3001}, {"prometheus", "prom/prometheus:v3", 240, 9090},
	{"node-exporter", "prom/node-exporter:v1", 14, 9100}, {"traefik", "traefik:v3", 71, 443}, {"adguard", "adguard/adguardhome:latest", 88, 53},
	{"mosquitto", "eclipse-mosquitto:2", 6, 1883},
}

var demoInstances = []struct {
	name, image string
	mem         int64
}{{"homeassistant", "debian/12", 611}, {"unifi", "ubuntu/22.04", 902}, {"dev", "ubuntu/24.04", 377}, {"pihole", "debian/12", 57}}

// newDemo makes up the last 90 days of a box before end: 25 containers, backups every night, updates on
// Sundays, an application that runs out of memory for an hour, and a container that somebody deleted.
func newDemo(end time.Time) *demoWorld {
	d := &demoWorld{rnd: rand.New(rand.NewPCG(7446, 1))}
	first := end.Add(-demoDays * 24 * time.Hour)
	network := d.id(32)
	at := first
	for i, c := range demoImages {
		b := &demoBox{network: network, labels: map[string]string{}}
		b.Type, b.Name, b.Image = "docker", c.name, c.image
		b.Memory, b.CPU = c.mem<<20, float64(d.rnd.IntN(400))/1e4
		b.RX, b.TX = d.rnd.Int64N(9e9), d.rnd.Int64N(4e9)
		b.IPAddress, b.TCPPort = []string{fmt.Sprintf("172.17.0.%d", i+2)}, []int{}
		if c.port > 0 {
			b.TCPPort = append(b.TCPPort, c.port)
		}
		d.boxes = append(d.boxes, b)
		at = d.jitter(at.Add(20*time.Second), 3*time.Minute)
		d.docker(at, "image", "pull", b.Image, map[string]string{"name": b.Image})
		d.create(b, at.Add(9*time.Second))
	}
	for i, c := range demoInstances {
		b := &demoBox{}
		b.Type, b.ID, b.Name, b.Image = "lxc", c.name, c.name, c.image
		b.Memory, b.CPU = c.mem<<20, float64(d.rnd.IntN(300))/1e4
		b.RX, b.TX = d.rnd.Int64N(3e9), d.rnd.Int64N(1e9)
		b.IPAddress, b.TCPPort = []string{fmt.Sprintf("10.0.3.%d", 200+i)}, []int{}
		d.boxes = append(d.boxes, b)
		at = d.jitter(at.Add(time.Minute), 5*time.Minute)
		d.incus(b, at, "instance-created", "admin")
		d.incus(b, at.Add(700*time.Millisecond), "instance-started", "admin")
	}
	midnight := first.Truncate(24 * time.Hour)
	for n := 1; n <= demoDays; n++ {
		d.day(midnight.AddDate(0, 0, n), demoDays-n)
	}
	return d
}

func (d *demoWorld) box(name string) *demoBox {
	for _, b := range d.boxes {
		if b.Name == name {
			return b
		}
	}
	panic("no demo container " + name)
}

// day makes up one day that begins at midnight, left days before the last one.
func (d *demoWorld) day(midnight time.Time, left int) {
	hour := func(h, m int) time.Time {
		return d.jitter(midnight.Add(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute), 90*time.Second)
	}
	d.nightlyBackup(hour(2, 30), left)
	if midnight.Weekday() == time.Sunday {
		d.updateNight(hour(3, 15))
	}
	d.op(hour(6, 0), format.LevelInfo, "system", "system", "Update image list successfully")
	if dev := d.box("dev"); midnight.Weekday() != time.Sunday && midnight.Weekday() != time.Saturday {
		d.incus(dev, hour(18, 40), "instance-shutdown", "maria")
		d.incus(dev, hour(32, 10), "instance-started", "maria")
	}
	if b := d.boxes[d.rnd.IntN(11)]; d.rnd.IntN(3) == 0 && b.State == "running" {
		d.restart(b, hour(12+d.rnd.IntN(9), d.rnd.IntN(60)))
	}
	if b := d.box("jellyfin"); d.rnd.IntN(6) == 0 {
		bad := hour(20, d.rnd.IntN(60))
		d.event(b, bad, "health_status: unhealthy")
		d.event(b, bad.Add(time.Duration(2+d.rnd.IntN(9))*time.Minute), "health_status: healthy")
	}
	if d.rnd.IntN(8) == 0 {
		d.crash(d.box("qbittorrent"), hour(d.rnd.IntN(24), d.rnd.IntN(60)), "1")
	}
	switch left {
	case 12:
		for at, end := hour(15, 4), hour(16, 2); at.Before(end); at = at.Add(time.Duration(14+d.rnd.IntN(30)) * time.Second) {
			d.crash(d.box("immich-ml"), at, "137")
		}
	case 5:
		d.deletion(hour(23, 38))
	}
}

// nightlyBackup is what a backup script writes with "shiplog record".
func (d *demoWorld) nightlyBackup(at time.Time, left int) {
	for _, name := range []string{"nextcloud-db", "immich-db", "paperless-db", "gitea"} {
		b := d.box(name)
		if b.State == "" {
			continue
		}
		label := fmt.Sprintf("(docker, %s, %s)", b.ID[:12], b.Name)
		d.op(at, format.LevelInfo, "backup", "backup", "Start to backup container "+label)
		at = at.Add(time.Duration(40+d.rnd.IntN(200)) * time.Second)
		if left == 31 && name == "immich-db" {
			d.op(at, format.LevelError, "backup", "backup", "Backup error: [Errno 28] No space left on device: '/share/backup/immich-db.dump' "+label)
			continue
		}
		d.op(at, format.LevelInfo, "backup", "backup", "Finished backup container "+label)
	}
	if at.Weekday() == time.Monday {
		for _, name := range []string{"homeassistant", "unifi"} {
			d.incus(d.box(name), at.Add(time.Minute), "instance-snapshot-created", "backup")
			d.backup(d.box(name), at.Add(2*time.Minute), time.Duration(60+d.rnd.IntN(120))*time.Second)
			at = at.Add(6 * time.Minute)
		}
	}
}

// updateNight makes a few containers again from newer images.
func (d *demoWorld) updateNight(at time.Time) {
	for _, i := range d.rnd.Perm(len(demoImages))[:6] {
		if b := d.boxes[i]; b.State == "running" {
			d.update(b, at)
			at = at.Add(time.Duration(20+d.rnd.IntN(40)) * time.Second)
		}
	}
}

// deletion is the riddle of the demo: who deleted paperless? The answer is in the log.
func (d *demoWorld) deletion(at time.Time) {
	login := d.op(at, format.LevelInfo, "auth", "guest", "Login of guest from 192.168.1.77")
	login.Action, login.Outcome, login.Src.IP = "auth.login", format.OutcomeSuccess, "192.168.1.77"
	for i, name := range []string{"paperless", "paperless-db"} {
		b, t := d.box(name), at.Add(time.Duration(90+40*i)*time.Second)
		op := d.op(t, format.LevelInfo, "container", "guest", fmt.Sprintf("Remove container with its volumes (docker, %s, %s)", b.ID[:12], b.Name))
		op.Src.IP = "192.168.1.77"
		d.stop(b, t.Add(time.Second))
		d.destroy(b, t.Add(5*time.Second))
	}
}
