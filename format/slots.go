package format

// slot is where the string member key of a line goes; nil when there is no such member.
func (f *Fields) slot(key []byte) *Value {
	switch string(key) {
	case "id":
		return &f.ID
	case "time":
		return &f.time
	case "obs":
		return &f.obs
	case "stream":
		return &f.stream
	case "level":
		return &f.level
	case "category":
		return &f.Category
	case "action":
		return &f.Action
	case "outcome":
		return &f.outcome
	case "status":
		return &f.Status
	case "code":
		return &f.Code
	case "msg":
		return &f.Msg
	case "engine":
		return &f.engine
	case "host":
		return &f.Host
	case "ns":
		return &f.NS
	case "repo":
		return &f.Repo
	case "project":
		return &f.Project
	case "req":
		return &f.Req
	case "preq":
		return &f.PReq
	case "args":
		return &f.Args
	}
	return nil
}

func (f *Fields) actorSlot(key []byte) *Value {
	switch string(key) {
	case "name":
		return &f.ActorName
	case "id":
		return &f.ActorID
	case "domain":
		return &f.ActorDomain
	case "type":
		return &f.ActorType
	case "email":
		return &f.ActorEmail
	}
	return nil
}

func (f *Fields) srcSlot(key []byte) *Value {
	switch string(key) {
	case "ip":
		return &f.SrcIP
	case "agent":
		return &f.SrcAgent
	}
	return nil
}

func (f *Fields) objSlot(key []byte) *Value {
	switch string(key) {
	case "type":
		return &f.ObjType
	case "id":
		return &f.ObjID
	case "name":
		return &f.ObjName
	case "image":
		return &f.ObjImage
	case "tag":
		return &f.ObjTag
	}
	return nil
}

// known tells whether a member of this name is one of a record's own, so that no extra one may have it.
func known(key string) bool {
	switch key {
	case "v", "seq", "eseq", "actor", "src", "obj", "data", "cut":
		return true
	}
	var f Fields
	return f.slot([]byte(key)) != nil
}
