package index

import (
	"testing"
	"time"

	"shiplog/format"
)

func TestQueryString(t *testing.T) {
	tests := []struct {
		name string
		q    Query
		want string
	}{
		{"nothing asked", Query{}, "all"},
		{"what narrows most comes first", Query{Text: `a "b"`, User: "admin", Levels: []format.Level{"WARN", "ERROR"}, Limit: 20},
			`text="a \"b\"" user=admin level=WARN,ERROR limit=20`},
		{"bounds", Query{After: 5, To: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), AfterEseq: 1, UptoEseq: 9, Ascending: true},
			"seq=5.. eseq=1..9 time=..2026-01-02T03:04:05Z order=ascending"},
		{"nothing wanted", Query{None: true}, "none=true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.q.String(); got != tt.want {
				t.Errorf("String() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	line := func(r format.Record) *format.Fields {
		r.Seq = max(r.Seq, 7)
		f := new(format.Fields)
		if err := format.ScanLine(format.AppendLine(nil, &r), f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	at := time.Date(2026, 10, 15, 12, 0, 0, 123456789, time.UTC)
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		q    Query
		r    format.Record
		want bool
	}{
		{"no condition", Query{}, format.Record{}, true},
		{"none", Query{None: true}, format.Record{}, false},
		{"seq is above", Query{After: 6, Before: 8}, format.Record{}, true},
		{"seq is the bound", Query{After: 7}, format.Record{}, false},
		{"time is the begin", Query{From: at}, format.Record{Time: at}, true},
		{"time is the end", Query{To: at}, format.Record{Time: at}, false},
		{"time is a nanosecond before the end", Query{To: at.Add(1)}, format.Record{Time: at}, true},
		{"an end beyond what nanoseconds hold", Query{To: far}, format.Record{Time: at}, true},
		{"a begin beyond what nanoseconds hold", Query{From: far}, format.Record{Time: at}, false},
		{"an eseq is wanted", Query{Numbered: true}, format.Record{}, false},
		{"an eseq up to is wanted and there is none", Query{UptoEseq: 5}, format.Record{}, false},
		{"eseq in the bounds", Query{AfterEseq: 3, UptoEseq: 4}, format.Record{Eseq: 4}, true},
		{"the level follows from the outcome", Query{Levels: []format.Level{"ERROR"}}, format.Record{Outcome: "failure"}, true},
		{"category in other case", Query{Categories: []string{"CONTAINER"}}, format.Record{Category: "container"}, true},
		{"category not wanted in other case", Query{NotCategories: []string{"Auth"}}, format.Record{Category: "auth"}, false},
		{"no category is not a category", Query{Categories: []string{"auth"}}, format.Record{}, false},
		{"the user is system when nobody is named", Query{User: "system"}, format.Record{}, true},
		{"user in other case", Query{User: "Admin"}, format.Record{Actor: format.Actor{Name: "admin"}}, false},
		{"short id", Query{ObjID: "d59bf8a8b229"}, format.Record{Obj: format.Object{ID: "d59bf8a8b2290123"}}, true},
		{"too short an id", Query{ObjID: "d59bf8a8b22"}, format.Record{Obj: format.Object{ID: "d59bf8a8b2290123"}}, false},
		{"a name is no id to be cut", Query{ObjID: "web-frontend-1"}, format.Record{Obj: format.Object{ID: "web-frontend-12"}}, false},
		{"text in other case", Query{Text: "STARTED"}, format.Record{Msg: "restarted"}, true},
		{"text with the Kelvin sign", Query{Text: "\u212a"}, format.Record{Msg: "kilo"}, true},
		{"text with the long s", Query{Text: "mis"}, format.Record{Msg: "mi\u017f"}, true},
		{"sharp s in both forms", Query{Text: "STRA\u1e9eE"}, format.Record{Msg: "stra\u00dfe"}, true},
		{"sharp s is not two s", Query{Text: "strasse"}, format.Record{Msg: "stra\u00dfe"}, false},
		{"the three sigmas", Query{Text: "ΣΑΣ"}, format.Record{Msg: "σας"}, true},
		{"dotted capital i stands for itself", Query{Text: "istanbul"}, format.Record{Msg: "\u0130stanbul"}, false},
		{"text with what JSON escapes", Query{Text: `"DISK0"\`}, format.Record{Msg: `say "disk0"\n`}, true},
		{"text with a line break", Query{Text: "a\nb"}, format.Record{Msg: "A\nB"}, true},
		{"text in characters without case", Query{Text: "容器"}, format.Record{Msg: "启动容器"}, true},
		{"text only in another member", Query{Text: "alpha"}, format.Record{Msg: "beta", Category: "alpha"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.q.Match(line(tt.r)); got != tt.want {
				t.Errorf("Match(%s) = %v, want %v", tt.q, got, tt.want)
			}
		})
	}
}
