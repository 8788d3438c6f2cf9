package format

// The names of members, as [wordOf] has them: to tell them apart takes comparing numbers, not texts.
const (
	nameV        = 'v'
	nameSeq      = 's' | 'e'<<8 | 'q'<<16
	nameEseq     = 'e' | 's'<<8 | 'e'<<16 | 'q'<<24
	nameID       = 'i' | 'd'<<8
	nameTime     = 't' | 'i'<<8 | 'm'<<16 | 'e'<<24
	nameObs      = 'o' | 'b'<<8 | 's'<<16
	nameStream   = 's' | 't'<<8 | 'r'<<16 | 'e'<<24 | 'a'<<32 | 'm'<<40
	nameLevel    = 'l' | 'e'<<8 | 'v'<<16 | 'e'<<24 | 'l'<<32
	nameCategory = 'c' | 'a'<<8 | 't'<<16 | 'e'<<24 | 'g'<<32 | 'o'<<40 | 'r'<<48 | 'y'<<56
	nameAction   = 'a' | 'c'<<8 | 't'<<16 | 'i'<<24 | 'o'<<32 | 'n'<<40
	nameOutcome  = 'o' | 'u'<<8 | 't'<<16 | 'c'<<24 | 'o'<<32 | 'm'<<40 | 'e'<<48
	nameStatus   = 's' | 't'<<8 | 'a'<<16 | 't'<<24 | 'u'<<32 | 's'<<40
	nameCode     = 'c' | 'o'<<8 | 'd'<<16 | 'e'<<24
	nameMsg      = 'm' | 's'<<8 | 'g'<<16
	nameActor    = 'a' | 'c'<<8 | 't'<<16 | 'o'<<24 | 'r'<<32
	nameSrc      = 's' | 'r'<<8 | 'c'<<16
	nameObj      = 'o' | 'b'<<8 | 'j'<<16
	nameEngine   = 'e' | 'n'<<8 | 'g'<<16 | 'i'<<24 | 'n'<<32 | 'e'<<40
	nameHost     = 'h' | 'o'<<8 | 's'<<16 | 't'<<24
	nameNS       = 'n' | 's'<<8
	nameRepo     = 'r' | 'e'<<8 | 'p'<<16 | 'o'<<24
	nameProject  = 'p' | 'r'<<8 | 'o'<<16 | 'j'<<24 | 'e'<<32 | 'c'<<40 | 't'<<48
	nameReq      = 'r' | 'e'<<8 | 'q'<<16
	namePReq     = 'p' | 'r'<<8 | 'e'<<16 | 'q'<<24
	nameArgs     = 'a' | 'r'<<8 | 'g'<<16 | 's'<<24
	nameData     = 'd' | 'a'<<8 | 't'<<16 | 'a'<<24
	nameCut      = 'c' | 'u'<<8 | 't'<<16
	nameName     = 'n' | 'a'<<8 | 'm'<<16 | 'e'<<24
	nameDomain   = 'd' | 'o'<<8 | 'm'<<16 | 'a'<<24 | 'i'<<32 | 'n'<<40
	nameType     = 't' | 'y'<<8 | 'p'<<16 | 'e'<<24
	nameEmail    = 'e' | 'm'<<8 | 'a'<<16 | 'i'<<24 | 'l'<<32
	nameIP       = 'i' | 'p'<<8
	nameAgent    = 'a' | 'g'<<8 | 'e'<<16 | 'n'<<24 | 't'<<32
	nameImage    = 'i' | 'm'<<8 | 'a'<<16 | 'g'<<24 | 'e'<<32
	nameTag      = 't' | 'a'<<8 | 'g'<<16
)

// wordOf is a member's name as one number, the first letter lowest; 0 when it is none of a record's own.
func wordOf(key []byte) (word uint64) {
	if len(key) > 8 {
		return 0
	}
	for i, c := range key {
		if c == 0 { // it would read as a shorter name
			return 0
		}
		word |= uint64(c) << (8 * i)
	}
	return word
}

// slot is where the string member word of a line goes; nil when there is no such member.
func (f *Fields) slot(word uint64) *Value {
	switch word {
	case nameID:
		return &f.ID
	case nameTime:
		return &f.time
	case nameObs:
		return &f.obs
	case nameStream:
		return &f.stream
	case nameLevel:
		return &f.level
	case nameCategory:
		return &f.Category
	case nameAction:
		return &f.Action
	case nameOutcome:
		return &f.outcome
	case nameStatus:
		return &f.Status
	case nameCode:
		return &f.Code
	case nameMsg:
		return &f.Msg
	case nameEngine:
		return &f.engine
	case nameHost:
		return &f.Host
	case nameNS:
		return &f.NS
	case nameRepo:
		return &f.Repo
	case nameProject:
		return &f.Project
	case nameReq:
		return &f.Req
	case namePReq:
		return &f.PReq
	case nameArgs:
		return &f.Args
	}
	return nil
}

// slotIn is slot in one of the objects that a line holds.
func (f *Fields) slotIn(place int, word uint64) *Value {
	switch place {
	case inActor:
		return f.actorSlot(word)
	case inSrc:
		return f.srcSlot(word)
	}
	return f.objSlot(word)
}

func (f *Fields) actorSlot(word uint64) *Value {
	switch word {
	case nameName:
		return &f.ActorName
	case nameID:
		return &f.ActorID
	case nameDomain:
		return &f.ActorDomain
	case nameType:
		return &f.ActorType
	case nameEmail:
		return &f.ActorEmail
	}
	return nil
}

func (f *Fields) srcSlot(word uint64) *Value {
	switch word {
	case nameIP:
		return &f.SrcIP
	case nameAgent:
		return &f.SrcAgent
	}
	return nil
}

func (f *Fields) objSlot(word uint64) *Value {
	switch word {
	case nameType:
		return &f.ObjType
	case nameID:
		return &f.ObjID
	case nameName:
		return &f.ObjName
	case nameImage:
		return &f.ObjImage
	case nameTag:
		return &f.ObjTag
	}
	return nil
}

// known tells whether a member of this name is one of a record's own at this place, so that no extra one may have it.
func known(place int, name string) bool {
	var f Fields
	word := wordOf([]byte(name))
	if place != inLine {
		return f.slotIn(place, word) != nil
	}
	switch word {
	case nameV, nameSeq, nameEseq, nameActor, nameSrc, nameObj, nameData, nameCut:
		return true
	}
	return f.slot(word) != nil
}
