// Command sqlite is the peer of scripts/bench that keeps the records in SQLite with an index of trigrams. It is a
// module of its own, because it needs a C compiler and shiplog does not.
//
//	go build -tags sqlite_fts5 -o sqlite .
//	./sqlite load RECORDS.jsonl DB    prints {"cpu": seconds, "wall": seconds} of what SQLite did, without the reading of JSON
//	./sqlite serve DB                 prints http://ADDRESS; GET /?sql=SELECT...&arg=... is answered with an array of rows,
//	                                  POST /append stores a record and answers when it is on the disk
package main

import (
	"database/sql"
	"fmt"
	"os"

	_ "github.com/mattn/go-sqlite3"
)

// schema is what the questions of the benchmark need, and no more: each index costs at every insert.
const schema = `
CREATE TABLE log (seq INTEGER PRIMARY KEY, id TEXT, time INTEGER, level TEXT, category TEXT, action TEXT, msg TEXT,
	user TEXT, user_type TEXT, obj_type TEXT, obj_id TEXT, obj_name TEXT, obj_image TEXT, engine TEXT, host TEXT);
CREATE INDEX log_user ON log (user, time);
CREATE INDEX log_category ON log (category, user);
CREATE VIRTUAL TABLE text USING fts5(msg, content='log', content_rowid='seq', tokenize='trigram');`

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sqlite:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "load":
		return load(args[1], args[2])
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	}
	return fmt.Errorf("want load RECORDS DB, or serve DB")
}

// open opens the database as a log wants it: what was committed survives a power cut.
func open(name string) (*sql.DB, error) {
	return sql.Open("sqlite3", "file:"+name+"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=10000&_cache_size=-65536")
}
