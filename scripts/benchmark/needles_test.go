package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// writeRecords writes records with these messages and ids of objects.
func writeRecords(t *testing.T, n int, each func(i int) (msg, id string)) (name string, size int64) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "records.jsonl")
	var text []byte
	for i := range n {
		msg, id := each(i)
		text = format.AppendLine(text, &format.Record{V: 1, Seq: uint64(i + 1), Stream: format.StreamLog, Msg: msg, Obj: format.Object{ID: id}})
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, int64(len(text))
}

func TestFindNeedles(t *testing.T) {
	const seldom, often, always = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"
	for _, tt := range []struct {
		name          string
		each          func(i int) (msg, id string)
		rare, hundred string
	}{
		{"ids of ten, of a hundred and of all others", func(i int) (string, string) {
			id := always
			if i%100 == 0 {
				id = seldom
			} else if i%10 == 0 {
				id = often
			}
			return "Stop " + id, id + "0123"
		}, seldom, often},
		{"one id, and numbers that eight have", func(i int) (string, string) {
			return fmt.Sprintf("%s has run for %d HOURS", always, i%125), always
		}, " hours", ""},
		{"an id that no message has", func(i int) (string, string) {
			return fmt.Sprintf("НОМЕР %d ЗДЕСЬ", i%125), seldom
		}, " здесь", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, size := writeRecords(t, 1000, tt.each)
			var got truth
			if err := got.findNeedles(name, size); err != nil {
				t.Fatal(err)
			}
			if tt.rare = string(foldInto(nil, tt.rare)); !strings.HasSuffix(got.rare, tt.rare) || got.hundred != tt.hundred {
				t.Errorf("needles are %q and %q, want one that ends in %q, and %q", got.rare, got.hundred, tt.rare, tt.hundred)
			}
			hits := 0
			if err := lines(name, func(_ []byte, f *format.Fields) error {
				if strings.Contains(string(foldInto(nil, kept(f))), got.rare) {
					hits++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if hits < rareHits/2 || hits > rareHits*3/2 {
				t.Errorf("%q is in %d records, want %d or so", got.rare, hits, rareHits)
			}
			if !strings.Contains(got.rare, got.inside) || len(got.inside) < 7 {
				t.Errorf("inside = %q, want 7 characters out of %q", got.inside, got.rare)
			}
		})
	}
}

func TestFoldInto(t *testing.T) {
	for _, tt := range [][2]string{{"Start", "start"}, {"ПУСК", string(foldInto(nil, "пуск"))}, {"K", "k"}, {"ſ", "s"}, {"İ", "İ"}, {"ß", "ß"}} {
		if got := string(foldInto(nil, tt[0])); got != string(foldInto(nil, tt[1])) || tt[0] == "Start" && got != tt[1] {
			t.Errorf("foldInto(%q) = %q, want %q", tt[0], got, tt[1])
		}
	}
}
