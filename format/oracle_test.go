package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"shiplog/format"
)

// wire is a line as encoding/json sees it.
type wire struct {
	V, Seq, Eseq                                               uint64
	ID, Time, Obs, Stream, Level, Category, Action, Outcome    string
	Status, Code, Msg, Engine, Host, NS, Repo, Project         string
	Req, PReq, Args                                            string
	ActorName, ActorID, ActorDomain, ActorType, ActorEmail     string
	SrcIP, SrcAgent, ObjType, ObjID, ObjName, ObjImage, ObjTag string
	Data                                                       json.RawMessage
	Cut                                                        []string
	extra                                                      int
}

// object is a JSON object with all values of each member: of a repeated one the last counts, but none may be of
// another type.
type object map[string][]json.RawMessage

func (o *object) UnmarshalJSON(text []byte) error {
	*o = object{}
	in := json.NewDecoder(bytes.NewReader(text))
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("no object: %v, %w", t, err)
	}
	for in.More() {
		name, err := in.Token()
		var value json.RawMessage
		if err == nil {
			err = in.Decode(&value)
		}
		if err != nil {
			return err
		}
		(*o)[name.(string)] = append((*o)[name.(string)], value)
	}
	return nil
}

// oracle reads a line by encoding/json, names matched exactly.
func oracle(line []byte) (w wire, err error) {
	var m object
	if err := json.Unmarshal(line, &m); err != nil {
		return w, err
	}
	if m == nil {
		return w, errors.New("null")
	}
	known := 0
	get := func(m object, name string, dst any) {
		if m[name] != nil {
			known++
		}
		for _, raw := range m[name] {
			reflect.ValueOf(dst).Elem().SetZero()
			if string(raw) == "null" {
				continue
			}
			if e := json.Unmarshal(raw, dst); e != nil && err == nil {
				err = e
			}
		}
	}
	// group reads an object of strings.
	group := func(name string, members map[string]*string) {
		var all []object
		for _, raw := range m[name] {
			var g object
			if string(raw) != "null" {
				if e := json.Unmarshal(raw, &g); e != nil && err == nil {
					err = e
				}
			}
			all = append(all, g)
		}
		if all == nil {
			return
		}
		known++
		before := known
		for _, g := range all {
			known = before
			for member, dst := range members {
				*dst = ""
				get(g, member, dst)
			}
		}
		w.extra += len(all[len(all)-1])
	}
	get(m, "v", &w.V)
	get(m, "seq", &w.Seq)
	get(m, "eseq", &w.Eseq)
	for name, dst := range map[string]*string{"id": &w.ID, "time": &w.Time, "obs": &w.Obs, "stream": &w.Stream,
		"level": &w.Level, "category": &w.Category, "action": &w.Action, "outcome": &w.Outcome, "status": &w.Status,
		"code": &w.Code, "msg": &w.Msg, "engine": &w.Engine, "host": &w.Host, "ns": &w.NS, "repo": &w.Repo,
		"project": &w.Project, "req": &w.Req, "preq": &w.PReq, "args": &w.Args} {
		get(m, name, dst)
	}
	group("actor", map[string]*string{"name": &w.ActorName, "id": &w.ActorID, "domain": &w.ActorDomain,
		"type": &w.ActorType, "email": &w.ActorEmail})
	group("src", map[string]*string{"ip": &w.SrcIP, "agent": &w.SrcAgent})
	group("obj", map[string]*string{"type": &w.ObjType, "id": &w.ObjID, "name": &w.ObjName,
		"image": &w.ObjImage, "tag": &w.ObjTag})
	get(m, "data", &w.Data)
	for _, d := range m["data"] {
		if d[0] != '{' && d[0] != 'n' {
			err = errors.New("data is no object")
		}
	}
	var cut []*string
	get(m, "cut", &cut)
	for _, c := range cut {
		if c == nil {
			return w, errors.New("null in cut")
		}
		w.Cut = append(w.Cut, *c)
	}
	w.extra += len(m) - known
	for _, t := range []string{w.Time, w.Obs} {
		if t == "" {
			continue
		}
		at, e := time.Parse(time.RFC3339Nano, t)
		if y := at.UTC().Year(); e != nil || y < 0 || y > 9999 {
			err = errors.New("bad time")
		}
	}
	if w.V > format.Version {
		err = format.ErrVersion
	}
	return w, err
}

// fromFields and fromRecord bring what the package read into the oracle's shape.
func fromFields(f *format.Fields) wire {
	return wire{Seq: f.Seq, Eseq: f.Eseq, ID: f.ID.String(), Stream: string(f.Stream), Category: f.Category.String(),
		Action: f.Action.String(), Status: f.Status.String(), Code: f.Code.String(), Msg: f.Msg.String(),
		Engine: string(f.Engine), Host: f.Host.String(), NS: f.NS.String(), Repo: f.Repo.String(),
		Project: f.Project.String(), Req: f.Req.String(), PReq: f.PReq.String(), Args: f.Args.String(),
		ActorName: f.ActorName.String(), ActorID: f.ActorID.String(), ActorDomain: f.ActorDomain.String(),
		ActorType: f.ActorType.String(), ActorEmail: f.ActorEmail.String(), SrcIP: f.SrcIP.String(),
		SrcAgent: f.SrcAgent.String(), ObjType: f.ObjType.String(), ObjID: f.ObjID.String(),
		ObjName: f.ObjName.String(), ObjImage: f.ObjImage.String(), ObjTag: f.ObjTag.String(), Data: f.Data}
}

func fromRecord(r *format.Record) wire {
	return wire{Seq: r.Seq, Eseq: r.Eseq, ID: r.ID, Stream: string(r.Stream), Category: r.Category,
		Action: r.Action, Status: r.Status, Code: r.Code, Msg: r.Msg, Engine: string(r.Engine), Host: r.Host, NS: r.NS,
		Repo: r.Repo, Project: r.Project, Req: r.Req, PReq: r.PReq, Args: r.Args, ActorName: r.Actor.Name,
		ActorID: r.Actor.ID, ActorDomain: r.Actor.Domain, ActorType: r.Actor.Type, ActorEmail: r.Actor.Email,
		SrcIP: r.Src.IP, SrcAgent: r.Src.Agent, ObjType: r.Obj.Type, ObjID: r.Obj.ID, ObjName: r.Obj.Name,
		ObjImage: r.Obj.Image, ObjTag: r.Obj.Tag, Data: r.Data}
}

func (w wire) String() string {
	type plain wire
	return fmt.Sprintf("%+v", plain(w))
}
