package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// server answers with rows. Statements are prepared once.
type server struct {
	db *sql.DB

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // guarded by mu
	append   sync.Mutex           // SQLite has one writer at a time; those who wait here do not spin
}

// serve answers until its standard input ends.
func serve(name string) error {
	db, err := open(name)
	if err != nil {
		return err
	}
	defer db.Close()
	s := &server{db: db, prepared: map[string]*sql.Stmt{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", ln.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", s.rows)
	mux.HandleFunc("POST /append", s.post)
	return http.Serve(ln, mux)
}

func (s *server) statement(text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.prepared[text]; st != nil {
		return st, nil
	}
	st, err := s.db.Prepare(text)
	if err == nil {
		s.prepared[text] = st
	}
	return st, err
}

func (s *server) rows(w http.ResponseWriter, r *http.Request) {
	if err := s.write(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *server) write(w http.ResponseWriter, r *http.Request) error {
	st, err := s.statement(r.FormValue("sql"))
	if err != nil {
		return err
	}
	var args []any
	for _, a := range r.Form["arg"] {
		args = append(args, a)
	}
	rows, err := st.QueryContext(r.Context(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, pointers := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		pointers[i] = &values[i]
	}
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	for sep := "["; rows.Next(); sep = "," {
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		out.WriteString(sep)
		if err := enc.Encode(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if out.Buffered() == 0 {
		out.WriteString("[")
	}
	out.WriteString("]\n")
	return out.Flush()
}

// post stores a record in a transaction of its own.
func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var rec record
	err := json.NewDecoder(r.Body).Decode(&rec)
	if err == nil {
		err = s.one(&rec)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *server) one(r *record) error {
	s.append.Lock()
	defer s.append.Unlock()
	r.Time = time.Now()
	values := r.values()
	values[0] = nil // the next number
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing, after Commit
	done, err := tx.Exec(insertLog, values...)
	if err != nil {
		return err
	}
	seq, err := done.LastInsertId()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(insertText, seq, r.Msg); err != nil {
		return err
	}
	return tx.Commit()
}
