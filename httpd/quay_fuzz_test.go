package httpd

import (
	"testing"
	"time"
)

func FuzzOpenPage(f *testing.F) {
	pages, err := openSealer("", "")
	if err != nil {
		f.Fatal(err)
	}
	q := quay{&Server{pages: pages, opts: Options{Now: time.Now}}}
	scope := quayScope{ns: "a", repo: "b"}
	token := q.sealPage(quayPage{Performer: "eve", From: 1, To: 2, Time: 3, Seq: 4}, scope, "alice")
	if p, err := q.openPage(token, scope, "alice"); err != nil || p.Performer != "eve" || p.Seq != 4 {
		f.Fatalf("openPage(sealPage) = %+v %v", p, err)
	}
	f.Add(token)
	f.Add(token + "\n")
	f.Add("")
	for _, plain := range []string{"null", "{}", `{"s":-1}`, `{"s":1e99}`, `{"s":1,"f":9223372036854775807,"i":-9223372036854775808}`} {
		f.Add(pages.seal(quayAbout(scope, "alice"), []byte(plain)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := q.openPage(text, scope, "alice"); (err == nil) != (text == token) {
			t.Errorf("openPage(%q) = %v", text, err)
		}
	})
}

// FuzzOpenPagePlain opens what the right key has sealed, which only a later or earlier version could have.
func FuzzOpenPagePlain(f *testing.F) {
	pages, err := openSealer("", "")
	if err != nil {
		f.Fatal(err)
	}
	q := quay{&Server{pages: pages, opts: Options{Now: time.Now}}}
	scope := quayScope{user: "a"}
	f.Add([]byte(`{"p":"eve","f":1,"t":2,"n":3,"s":4,"i":5}`), "starttime=03/04/2025&performer=x")
	f.Add([]byte(`[]`), "")
	f.Fuzz(func(t *testing.T, plain []byte, query string) {
		p, err := q.openPage(pages.seal(quayAbout(scope, "a"), plain), scope, "a")
		if err == nil {
			err = p.agrees(params(query), params(query).get("performer"))
			_ = q.query(scope, p.span(), p.Performer).String()
		}
		if err != nil && asStatus(err).status != 400 {
			t.Errorf("openPage(%q) = %v, want a 400", plain, err)
		}
	})
}
