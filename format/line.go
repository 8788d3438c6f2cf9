package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

type wireLine struct {
	V        int        `json:"v"`
	Seq      uint64     `json:"seq,omitempty"`
	Eseq     uint64     `json:"eseq,omitempty"`
	ID       string     `json:"id,omitempty"`
	Time     *time.Time `json:"time,omitempty"`
	Obs      *time.Time `json:"obs,omitempty"`
	Stream   Stream     `json:"stream,omitempty"`
	Level    Level      `json:"level,omitempty"`
	Category string     `json:"category,omitempty"`
	Action   string     `json:"action,omitempty"`
	Outcome  Outcome    `json:"outcome,omitempty"`
	Status   string     `json:"status,omitempty"`
	Code     string     `json:"code,omitempty"`
	Msg      string     `json:"msg,omitempty"`
	Actor    *struct {
		Name   string `json:"name,omitempty"`
		ID     string `json:"id,omitempty"`
		Domain string `json:"domain,omitempty"`
		Type   string `json:"type,omitempty"`
		Email  string `json:"email,omitempty"`
	} `json:"actor,omitempty"`
	Src *struct {
		IP    string `json:"ip,omitempty"`
		Agent string `json:"agent,omitempty"`
	} `json:"src,omitempty"`
	Obj *struct {
		Type  string `json:"type,omitempty"`
		ID    string `json:"id,omitempty"`
		Name  string `json:"name,omitempty"`
		Image string `json:"image,omitempty"`
		Tag   string `json:"tag,omitempty"`
	} `json:"obj,omitempty"`
	Engine  Engine          `json:"engine,omitempty"`
	Host    string          `json:"host,omitempty"`
	NS      string          `json:"ns,omitempty"`
	Repo    string          `json:"repo,omitempty"`
	Project string          `json:"project,omitempty"`
	Req     string          `json:"req,omitempty"`
	PReq    string          `json:"preq,omitempty"`
	Args    string          `json:"args,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Cut     []string        `json:"cut,omitempty"`
}

// AppendLine appends r as one line, newline included, to dst.
func AppendLine(dst []byte, r *Record) []byte {
	w := wireLine{V: max(r.V, 1), Seq: r.Seq, Eseq: r.Eseq, ID: r.ID, Stream: r.Stream, Level: r.Level,
		Category: r.Category, Action: r.Action, Outcome: r.Outcome, Status: r.Status, Code: r.Code, Msg: r.Msg,
		Engine: r.Engine, Host: r.Host, NS: r.NS, Repo: r.Repo, Project: r.Project, Req: r.Req, PReq: r.PReq,
		Args: r.Args, Data: r.Data, Cut: r.Cut}
	if !r.Time.IsZero() {
		t := r.Time.UTC()
		w.Time = &t
	}
	if !r.Obs.IsZero() {
		t := r.Obs.UTC()
		w.Obs = &t
	}
	if a := r.Actor; a.Name+a.ID+a.Domain+a.Type+a.Email != "" {
		w.Actor = new(struct {
			Name   string `json:"name,omitempty"`
			ID     string `json:"id,omitempty"`
			Domain string `json:"domain,omitempty"`
			Type   string `json:"type,omitempty"`
			Email  string `json:"email,omitempty"`
		})
		w.Actor.Name, w.Actor.ID, w.Actor.Domain, w.Actor.Type, w.Actor.Email = a.Name, a.ID, a.Domain, a.Type, a.Email
	}
	if s := r.Src; s.IP+s.Agent != "" {
		w.Src = new(struct {
			IP    string `json:"ip,omitempty"`
			Agent string `json:"agent,omitempty"`
		})
		w.Src.IP, w.Src.Agent = s.IP, s.Agent
	}
	if o := r.Obj; o.Type+o.ID+o.Name+o.Image+o.Tag != "" {
		w.Obj = new(struct {
			Type  string `json:"type,omitempty"`
			ID    string `json:"id,omitempty"`
			Name  string `json:"name,omitempty"`
			Image string `json:"image,omitempty"`
			Tag   string `json:"tag,omitempty"`
		})
		w.Obj.Type, w.Obj.ID, w.Obj.Name, w.Obj.Image, w.Obj.Tag = o.Type, o.ID, o.Name, o.Image, o.Tag
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&w); err != nil {
		w.Data = nil
		w.Cut = append(w.Cut[:len(w.Cut):len(w.Cut)], "data")
		_ = enc.Encode(&w)
	}
	return append(dst, buf.Bytes()...)
}

// ParseLine reads one line, with or without its newline, into r, whatever r held before.
func ParseLine(line []byte, r *Record) error {
	var w wireLine
	if err := json.Unmarshal(line, &w); err != nil {
		return fmt.Errorf("parse line: %w", err)
	}
	if w.V > Version {
		return fmt.Errorf("parse line: v %d: %w", w.V, ErrVersion)
	}
	*r = Record{V: w.V, Seq: w.Seq, Eseq: w.Eseq, ID: w.ID, Stream: w.Stream, Level: w.Level,
		Category: w.Category, Action: w.Action, Outcome: w.Outcome, Status: w.Status, Code: w.Code, Msg: w.Msg,
		Engine: w.Engine, Host: w.Host, NS: w.NS, Repo: w.Repo, Project: w.Project, Req: w.Req, PReq: w.PReq,
		Args: w.Args, Data: w.Data, Cut: w.Cut}
	if w.Time != nil {
		r.Time = *w.Time
	}
	if w.Obs != nil {
		r.Obs = *w.Obs
	}
	if a := w.Actor; a != nil {
		r.Actor = Actor{Name: a.Name, ID: a.ID, Domain: a.Domain, Type: a.Type, Email: a.Email}
	}
	if s := w.Src; s != nil {
		r.Src = Src{IP: s.IP, Agent: s.Agent}
	}
	if o := w.Obj; o != nil {
		r.Obj = Object{Type: o.Type, ID: o.ID, Name: o.Name, Image: o.Image, Tag: o.Tag}
	}
	return nil
}

// ScanLine fills f with what line holds.
func ScanLine(line []byte, f *Fields) error {
	var r Record
	if err := ParseLine(line, &r); err != nil {
		return err
	}
	v := func(s string) Value { return Value{raw: []byte(s)} }
	*f = Fields{Line: bytes.TrimRight(line, "\r\n"), Seq: r.Seq, Eseq: r.Eseq, Stream: r.Stream, Level: r.EffectiveLevel(),
		Outcome: r.EffectiveOutcome(), Engine: r.Engine, ID: v(r.ID), Category: v(r.Category), Action: v(r.Action),
		Status: v(r.Status), Code: v(r.Code), Msg: v(r.Msg), ActorName: v(r.Actor.Name), ActorID: v(r.Actor.ID),
		ActorDomain: v(r.Actor.Domain), ActorType: v(r.Actor.Type), ActorEmail: v(r.Actor.Email), SrcIP: v(r.Src.IP),
		SrcAgent: v(r.Src.Agent), ObjType: v(r.Obj.Type), ObjID: v(r.Obj.ID), ObjName: v(r.Obj.Name),
		ObjImage: v(r.Obj.Image), ObjTag: v(r.Obj.Tag), Host: v(r.Host), NS: v(r.NS), Repo: v(r.Repo),
		Project: v(r.Project), Req: v(r.Req), PReq: v(r.PReq), Args: v(r.Args), Data: r.Data}
	if !r.Time.IsZero() {
		f.Time = r.Time.UnixNano()
	}
	return nil
}

func appendUnescaped(dst, raw []byte) []byte { return append(dst, raw...) }
