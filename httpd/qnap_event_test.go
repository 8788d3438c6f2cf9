package httpd

import (
	"encoding/json"
	"strconv"
	"testing"

	"shiplog/format"
)

func TestEventWindow(t *testing.T) {
	for name, row := range map[string]struct {
		query          string
		newest, pruned uint64
		index, offset  uint64
	}{
		"latest 20":                              {"", 121, 0, 101, 121},
		"latest of a few":                        {"", 7, 0, 0, 7},
		"latest after pruning":                   {"", 121, 110, 110, 121},
		"latest of nothing":                      {"", 0, 0, 0, 0},
		"follow":                                 {"index=118", 121, 0, 118, 121},
		"nothing new":                            {"index=121", 121, 0, 121, 121},
		"from the beginning":                     {"index=0", 121, 0, 0, 121},
		"the oldest 1000 after an index":         {"index=5", 5000, 0, 5, 1005},
		"an index that was pruned":               {"index=5", 5000, 100, 100, 1100},
		"a client older than a reset":            {"index=500", 121, 0, 121, 121},
		"a client older than a reset, bounded":   {"index=500&offset=600", 121, 0, 121, 121},
		"offset only":                            {"offset=30", 121, 0, 10, 30},
		"offset near the beginning":              {"offset=7", 121, 0, 0, 7},
		"offset zero":                            {"offset=0", 121, 0, 0, 0},
		"offset beyond the newest":               {"offset=900", 121, 0, 101, 121},
		"offset that was pruned":                 {"offset=30", 121, 50, 30, 30},
		"offset just above the pruned":           {"offset=55", 121, 50, 50, 55},
		"both":                                   {"index=10&offset=15", 121, 0, 10, 15},
		"both equal":                             {"index=10&offset=10", 121, 0, 10, 10},
		"both pruned":                            {"index=10&offset=15", 121, 50, 15, 15},
		"both, too many":                         {"index=10&offset=4000", 5000, 0, 10, 1010},
		"empty parameters are absent":            {"index=&offset=", 121, 0, 101, 121},
		"spaces are empty, hence absent":         {"index=+&offset=%20", 121, 0, 101, 121},
		"an index as large as an integer can be": {"index=9223372036854775807", 121, 0, 121, 121},
	} {
		t.Run(name, func(t *testing.T) {
			asked, err := parseWindow(params(row.query))
			if err != nil {
				t.Fatal(err)
			}
			if index, offset := asked.resolve(row.newest, row.pruned); index != row.index || offset != row.offset {
				t.Errorf("window of %q = %d..%d, want %d..%d", row.query, index, offset, row.index, row.offset)
			}
		})
	}
	for _, query := range []string{"index=-1", "offset=-1", "index=x", "offset=1.0", "index=5&offset=4", "index=-9223372036854775808"} {
		if _, err := parseWindow(params(query)); err == nil || asStatus(err).status != 400 {
			t.Errorf("parseWindow(%q) = %v, want status 400", query, err)
		}
	}
}

func FuzzEventWindow(f *testing.F) {
	f.Add("index=1&offset=2", uint64(121), uint64(7))
	f.Add("offset=0", uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, query string, newest, pruned uint64) {
		pruned = min(pruned, newest)
		asked, err := parseWindow(params(query))
		if err != nil {
			return
		}
		index, offset := asked.resolve(newest, pruned)
		if index > offset || offset-index > eventWindow || offset > newest || (index < pruned && index != offset) {
			t.Errorf("window of %q with newest %d pruned %d = %d..%d", query, newest, pruned, index, offset)
		}
	})
}

func TestEventMessage(t *testing.T) {
	docker := `"stream":"event","engine":"docker","actor":{"type":"engine"},"time":"2021-08-11T08:52:38.9Z"`
	for name, row := range map[string]struct{ line, v2, v1 string }{
		"verbatim": {`{` + docker + `,"category":"container","data":{"qnap":{"container":"a","state":"die","x":1.50,"type":"docker"}}}`,
			`container:all:1628671958:{"container": "a", "state": "die", "x": 1.50, "type": "docker"}`,
			`container:all:{"container": "a", "state": "die", "x": 1.50, "type": "docker"}`},
		"docker start": {`{` + docker + `,"category":"container","action":"container.start","obj":{"type":"container","id":"0f7b","name":"web"}}`,
			`container:all:1628671958:{"container": "web", "state": "start", "type": "docker", "id": "0f7b"}`,
			`container:all:{"container": "web", "state": "start", "type": "docker", "id": "0f7b"}`},
		"docker destroy has no name in version 2": {`{` + docker + `,"category":"container","action":"container.destroy","obj":{"type":"container","id":"0f7b","name":"web"}}`,
			`container:all:1628671958:{"container": null, "state": "destroy", "type": "docker", "id": "0f7b"}`,
			`container:all:{"container": "web", "state": "destroy", "type": "docker", "id": "0f7b"}`},
		"an Incus container is lxc and has no id": {`{"stream":"event","engine":"incus","actor":{"type":"engine","name":"root"},"time":"2021-08-11T08:52:38Z","category":"container","action":"container.destroy","obj":{"type":"container","name":"utest"}}`,
			`container:all:1628671958:{"container": "utest", "state": "destroy", "type": "lxc"}`,
			`container:all:{"container": "utest", "state": "destroy", "type": "lxc"}`},
		"a port": {`{"stream":"event","engine":"lxd","actor":{"type":"engine"},"time":"2021-08-11T08:52:38Z","category":"container","action":"container.port_add","obj":{"type":"container","name":"utest"}}`,
			`container:all:1628671958:{"container": "utest", "port": "add", "type": "lxc"}`,
			`container:all:{"container": "utest", "port": "add", "type": "lxc"}`},
		"network connect": {`{` + docker + `,"category":"network","action":"network.connect","obj":{"type":"network","id":"n1","name":"bridge"},"data":{"attr":{"container":"0f7b","name":"bridge"},"container":"web"}}`,
			`container:all:1628671958:{"container": "web", "state": "connect", "type": "docker", "id": "0f7b"}`,
			`container:all:{"container": "web", "state": "connect", "type": "docker", "id": "0f7b"}`},
		"network disconnect of an unknown container": {`{` + docker + `,"category":"network","action":"network.disconnect","obj":{"type":"network"},"data":{"attr":{"container":"0f7b"}}}`,
			`container:all:1628671958:{"container": null, "state": "disconnect", "type": "docker", "id": "0f7b"}`,
			`container:all:{"container": null, "state": "disconnect", "type": "docker", "id": "0f7b"}`},
		"image update": {`{` + docker + `,"category":"image","action":"image.tag","obj":{"type":"image","id":"busybox:v1"}}`,
			`image:all:1628671958:{"action": "update", "category": "local", "state": "tag", "type": "docker", "id": "busybox:v1"}`,
			`image:all:{"action": "update", "from": "local", "state": "tag", "type": "docker", "id": "busybox:v1"}`},
		"commit": {`{` + docker + `,"category":"container","action":"container.commit","obj":{"type":"container","id":"0f7b"}}`,
			`image:all:1628671958:{"action": "update", "category": "local", "type": "docker"}`,
			`image:all:{"action": "update", "from": "local", "type": "docker"}`},
		"a download from QNAP's own store": {`{"stream":"event","actor":{"name":"admin","type":"user"},"time":"2021-08-11T08:52:38Z","category":"image","data":{"qnap":{"name":"b","repository":"qnap","action":"download"}}}`,
			`image:admin:1628671958:{"name": "b", "repository": "qnap", "action": "download"}`,
			`image:admin:{"name": "b", "from": "appcenter", "action": "download"}`},
		"a download that was imported from version 1": {`{"stream":"event","actor":{"name":"admin","type":"user"},"time":"2021-08-11T08:52:38Z","category":"image","data":{"qnap":{"name":"b","from":"appcenter","action":"download"}}}`,
			`image:admin:1628671958:{"name": "b", "repository": "qnap", "action": "download"}`,
			`image:admin:{"name": "b", "from": "appcenter", "action": "download"}`},
		"colons in the user": {`{"stream":"event","actor":{"name":"a:b%c","type":"user"},"time":"2021-08-11T08:52:38Z","category":"export","data":{"qnap":{"s":"x, y: \"z\\"}}}`,
			`export:a%3Ab%25c:1628671958:{"s": "x, y: \"z\\"}`,
			`export:a%3Ab%25c:{"s": "x, y: \"z\\"}`},
		"an export that ended": {`{"stream":"event","engine":"incus","actor":{"name":"bob"},"time":"2021-08-11T08:52:38Z","category":"export","action":"export.finish","outcome":"failure","obj":{"name":"u1"}}`,
			`export:bob:1628671958:{"type": "lxc", "container": "u1", "cid": "u1", "path": "", "state": "aborted", "result": 1}`,
			`export:bob:{"type": "lxc", "container": "u1", "cid": "u1", "path": "", "state": "aborted", "result": 1}`},
		"data that is no object": {`{` + docker + `,"category":"container","action":"container.stop","obj":{"id":"1","name":"n"},"data":{"qnap":[1]}}`,
			`container:all:1628671958:{"container": "n", "state": "stop", "type": "docker", "id": "1"}`,
			`container:all:{"container": "n", "state": "stop", "type": "docker", "id": "1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var f format.Fields
			if err := format.ScanLine([]byte(row.line), &f); err != nil {
				t.Fatal(err)
			}
			if got := newEvent(&f).render(false); got != row.v2 {
				t.Errorf("version 2 = %s\n           want %s", got, row.v2)
			}
			if got := newEvent(&f).render(true); got != row.v1 {
				t.Errorf("version 1 = %s\n           want %s", got, row.v1)
			}
		})
	}
}

func FuzzEventObject(f *testing.F) {
	f.Add(`{"container": null, "state": "destroy", "n": [1, {"a": "b,c: d"}]}`)
	f.Add(`{"a":"\\\"","b":1e5,"a":2}`)
	f.Fuzz(func(t *testing.T, object string) {
		line := `{"stream":"event","category":"image","time":"2021-08-11T08:52:38Z","data":{"qnap":` + object + `}}`
		if !json.Valid([]byte(line)) {
			return
		}
		var fields format.Fields
		if format.ScanLine([]byte(line), &fields) != nil {
			return
		}
		for _, v1 := range []bool{false, true} {
			e := newEvent(&fields)
			prefix := "image:system:"
			if !v1 {
				prefix += strconv.FormatInt(e.ts, 10) + ":"
			}
			got := e.render(v1)
			if len(got) < len(prefix) || got[:len(prefix)] != prefix || !json.Valid([]byte(got[len(prefix):])) {
				t.Errorf("message of %s = %s", object, got)
			}
			for _, c := range got {
				if c == '\n' || c == '\r' {
					t.Errorf("message of %s holds a line break", object)
				}
			}
		}
	})
}
