// Workload makes the log of a busy container host out of nothing: always the same records for the same flags.
//
//	go run ./scripts/workload -n 1000000 -o records.jsonl   native records, for shiplog import --format native
//	go run ./scripts/workload -n 1000000 -data DIR          a data directory with segments
//	go run ./scripts/workload -kind ids -n 100000 -data DIR the same with messages that are hard on an index
//
// One in 200 records brings a new container; users, images and containers are as unevenly busy as in life;
// 85, 10 and 5 of 100 records are INFO, WARN and ERROR; the time runs over 30 days from 2026-10-01.
package main

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

func main() {
	n := flag.Int("n", 1_000_000, "records")
	out := flag.String("o", "", "file to write native records to")
	data := flag.String("data", "", "data directory to make instead of a file")
	seed := flag.Int64("seed", 1, "seed")
	days := flag.Int("days", 30, "time span in days")
	containers := flag.Int("containers", 0, "distinct containers (0: n/200 + 50)")
	kind := flag.String("kind", kindNormal, "kind of records: "+strings.Join(kinds, ", "))
	flag.Parse()
	if !slices.Contains(kinds, *kind) {
		fmt.Fprintf(os.Stderr, "workload: there is no kind %q; choose one of %s\n", *kind, strings.Join(kinds, ", "))
		os.Exit(2)
	}
	if (*out == "") == (*data == "") {
		fmt.Fprintln(os.Stderr, "workload: give -o FILE or -data DIR")
		os.Exit(2)
	}
	if *containers == 0 {
		*containers = map[string]int{kindSingle: 1, kindCrowd: crowd}[*kind]
	}
	if *containers == 0 {
		*containers = *n/200 + 50
	}
	write := toFile
	if *data != "" {
		*out, write = *data, toData
	}
	if err := write(*out, newWorld(*kind, *seed, *n, *days, *containers)); err != nil {
		fmt.Fprintln(os.Stderr, "workload:", err)
		os.Exit(1)
	}
}

func toFile(name string, w *world) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for r := w.next(); r != nil; r = w.next() {
		line = format.AppendLine(line[:0], r)
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func toData(dir string, w *world) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	fw, err := format.Open(dir, format.Options{})
	if err != nil {
		return err
	}
	batch := make([]*format.Record, 0, 1000)
	for r := w.next(); r != nil; r = w.next() {
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := fw.Restore(batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := fw.Restore(batch...); err != nil {
		return err
	}
	return fw.Close()
}

type container struct {
	id, name, image string
	engine          format.Engine
}

// world is what happens on the host, one record after the other.
type world struct {
	rnd        *rand.Rand
	containers []container
	users      []string
	busy, keen *rand.Zipf // containers, users
	n, made    int
	step       int64 // ns between records, on average
	tongue     *tongue
}

var imageNames = []string{"busybox", "ubuntu", "ubuntu-bionic", "nginx", "redis", "postgres", "joomla", "wordpress", "mariadb",
	"alpine", "debian", "python", "node", "golang", "gitlab/gitlab-ce", "homeassistant/home-assistant", "linuxserver/plex",
	"linuxserver/sonarr", "grafana/grafana", "prom/prometheus", "prom/node-exporter", "traefik", "nextcloud", "mongo",
	"rabbitmq", "memcached", "elasticsearch", "kibana", "logstash", "minio/minio"}

var imageTags = []string{"latest", "1.0", "1.1", "2.3.4", "alpine", "bookworm", "22.04", "7.2", "16", "stable"}

// The order in which random numbers are drawn is part of the workload: needles that benchmarks look for
// depend on it.
func newWorld(kind string, seed int64, n, days, containers int) *world {
	r := rand.New(rand.NewSource(seed))
	var images []string
	for _, b := range imageNames {
		for _, t := range imageTags {
			images = append(images, b+":"+t)
		}
	}
	r.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
	popular := rand.NewZipf(r, 1.2, 1, uint64(len(images)-1))
	w := &world{rnd: r, n: n, step: int64(days) * 86400 * 1e9 / int64(n), containers: make([]container, containers), tongue: newTongue(kind, seed)}
	for i := range w.containers {
		var b [32]byte
		r.Read(b[:])
		image, engine := images[popular.Uint64()], format.EngineDocker
		if r.Intn(5) == 0 {
			engine = format.EngineLXC
		}
		w.containers[i] = container{hex.EncodeToString(b[:]), fmt.Sprintf("%s-%d", imageNames[r.Intn(len(imageNames))], i), image, engine}
	}
	w.busy = rand.NewZipf(r, 1.1, 4, uint64(containers-1))
	w.users = []string{"admin", "system", "all"}
	for i := range 47 {
		w.users = append(w.users, fmt.Sprintf("user%02d", i))
	}
	w.keen = rand.NewZipf(r, 1.3, 1, uint64(len(w.users)-1))
	return w
}

// next is the next record; nil at the end.
func (w *world) next() *format.Record {
	if w.made == w.n {
		return nil
	}
	w.made++
	r := w.rnd
	const start = int64(1_790_812_800) * 1e9 // 2026-10-01
	ts := start + int64(w.made)*w.step + r.Int63n(w.step)
	level := format.LevelInfo
	switch p := r.Intn(100); {
	case p < 5:
		level = format.LevelError
	case p < 15:
		level = format.LevelWarn
	}
	c := w.tongue.place(w.containers, &w.containers[w.busy.Uint64()])
	rec := &format.Record{V: 1, Seq: uint64(w.made), Time: time.Unix(0, ts).UTC(), Obs: time.Unix(0, ts).UTC(), Stream: format.StreamLog,
		Level: level, Engine: c.engine, Obj: format.Object{Type: "container", ID: c.id, Name: c.name, Image: c.image},
		ID: fmt.Sprintf("%08x-%04x-7000-8000-%012x", ts>>28&0xffffffff, ts>>12&0xffff, w.made)}
	rec.Actor = format.Actor{Name: w.users[w.keen.Uint64()], Type: format.ActorUser}
	rec.Host = []string{"nas-01", "nas-02", "nas-03", "nas-04"}[r.Intn(4)]
	rec.Category, rec.Action, rec.Msg = w.happen(c)
	if level == format.LevelError {
		rec.Msg = fmt.Sprintf("Background task error for %s %s: Failed creating instance record: Failed initialising instance: Failed to add device \"disk%d\": Missing source path \"/share/test/%s\"", rec.Action, c.name, r.Intn(4), c.image)
	}
	rec.Action = rec.Category + "." + rec.Action
	w.tongue.dress(rec)
	return rec
}

// verbs are what the log calls the events, in the order of the events.
var (
	events = []string{"start", "stop", "restart", "die", "create", "destroy", "pause", "unpause", "connect", "disconnect"}
	verbs  = []string{"Start", "Stop", "Restart", "Kill", "Create", "Destroy", "Pause", "Unpause", "Connect network to", "Disconnect network from"}
)

func (w *world) happen(c *container) (category, action, msg string) {
	r := w.rnd
	switch p := r.Intn(100); {
	case p < 55:
		i := r.Intn(len(events))
		return "container", events[i], fmt.Sprintf("%s container (%s, %s, %s)", verbs[i], c.engine, c.id[:12], c.name)
	case p < 77:
		action = []string{"download", "remove", "update"}[r.Intn(3)]
		switch r.Intn(3) {
		case 0:
			return "image", action, fmt.Sprintf("Start to do background task (image_%s, %s)", action, c.image)
		case 1:
			return "image", action, fmt.Sprintf("Finished background task (image_%s, %s)", action, c.image)
		}
		return "image", action, fmt.Sprintf("Image %s (%s, %s)", action, c.engine, c.image)
	case p < 81:
		return "export", "export", fmt.Sprintf("Export container %s to /share/Container/backup/%s-%d.tar.gz", c.name, c.name, r.Intn(1000))
	case p < 84:
		return "import", "import", fmt.Sprintf("Import container %s from /share/Container/backup/%s-%d.tar.gz", c.name, c.name, r.Intn(1000))
	case p < 89:
		return "backup", "backup", fmt.Sprintf("Backup job %d of container %s finished in %d s, %d bytes written", r.Intn(500), c.name, r.Intn(3600), r.Int63n(1<<36))
	}
	return "system", "update", []string{"Update image list successfully", "Update application metadata successfully", "Keep original data folder /share/Container", "Reload configuration"}[r.Intn(4)]
}
