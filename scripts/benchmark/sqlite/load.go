package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

// record is what is kept of a record.
type record struct {
	Seq      int64
	ID       string
	Time     time.Time
	Level    string
	Category string
	Action   string
	Msg      string
	Actor    struct{ Name, Type string }
	Obj      struct{ Type, ID, Name, Image string }
	Engine   string
	Host     string
}

func (r *record) values() []any {
	return []any{r.Seq, r.ID, r.Time.UnixNano(), r.Level, r.Category, r.Action, r.Msg, r.Actor.Name, r.Actor.Type,
		r.Obj.Type, r.Obj.ID, r.Obj.Name, r.Obj.Image, r.Engine, r.Host}
}

const (
	insertLog  = `INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertText = `INSERT INTO text (rowid, msg) VALUES (?, ?)`
	batch      = 1000 // records in a transaction
)

// load stores all records. What it prints is the time of SQLite alone.
func load(records, name string) error {
	db, err := open(name)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(schema); err != nil {
		return err
	}
	file, err := os.Open(records)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	var cpu, wall time.Duration
	all := make([]record, 0, batch)
	flush := func() error {
		used, began := self(), time.Now()
		err := store(db, all)
		cpu, wall, all = cpu+self()-used, wall+time.Since(began), all[:0]
		return err
	}
	for in.Scan() {
		var r record
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return err
		}
		if all = append(all, r); len(all) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	used, began := self(), time.Now()
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	fmt.Printf("{\"cpu\": %f, \"wall\": %f}\n", (cpu + self() - used).Seconds(), (wall + time.Since(began)).Seconds())
	return nil
}

func store(db *sql.DB, all []record) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing, after Commit
	log, err := tx.Prepare(insertLog)
	if err != nil {
		return err
	}
	text, err := tx.Prepare(insertText)
	if err != nil {
		return err
	}
	for i := range all {
		if _, err := log.Exec(all[i].values()...); err != nil {
			return err
		}
		if _, err := text.Exec(all[i].Seq, all[i].Msg); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// self is the CPU time of this process.
func self() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
