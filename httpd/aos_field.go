package httpd

import (
	"cmp"
	"strconv"
	"strings"

	"shiplog/format"
	"shiplog/index"
)

// journalField is one of the fields that filters know: "Parameters supporting modifiers are ..." (seed 004).
type journalField struct {
	name  string
	text  func(*format.Fields) string // as it is shown; "" for null, unless always
	facet func(*index.Facets) string  // the same of facets; nil: it is none
	// always says that the field is never null: "" is then a text like others.
	always bool
	// value brings a filter's value for eq, in and order into the form it is compared in; nil: as it is.
	value func(string) (string, error)
	// compare orders a record's text and such a value; nil: by bytes.
	compare func(text, value string) int
}

var journalFields = []journalField{
	{name: "id", always: true, value: integerText, compare: compareNumbers,
		text: func(f *format.Fields) string { return strconv.FormatUint(f.Seq, 10) }},
	{name: "object_id", text: func(f *format.Fields) string { return shownObject(f).String() }},
	{name: "object_type", text: func(f *format.Fields) string { return f.ObjType.String() },
		facet: func(f *index.Facets) string { return f.ObjType }},
	{name: "action", always: true, text: func(f *format.Fields) string { return f.Action.String() },
		facet: func(f *index.Facets) string { return f.Action }},
	{name: "status", always: true, text: shownStatus,
		value: func(v string) (string, error) { return strings.ToLower(v), nil }},
	{name: "event_time", always: true, text: shownTime, value: shownMoment},
	{name: "action_arguments", text: func(f *format.Fields) string { return f.Args.String() }},
	{name: "response_code", text: func(f *format.Fields) string { return f.Code.String() }, compare: compareCodes},
	{name: "message", text: func(f *format.Fields) string { return f.Msg.String() }},
	{name: "user_id", text: func(f *format.Fields) string { return f.ActorID.String() }},
	{name: "user_name", always: true, text: func(f *format.Fields) string { return f.ActorName.String() },
		facet: func(f *index.Facets) string { return f.ActorName }},
	{name: "domain_id", text: func(f *format.Fields) string { return f.ActorDomain.String() },
		facet: func(f *index.Facets) string { return f.ActorHome }},
	{name: "request_id", text: func(f *format.Fields) string { return f.Req.String() }},
}

// journalFieldOf returns the field with that name; nil: there is none.
func journalFieldOf(name string) *journalField {
	for i := range journalFields {
		if journalFields[i].name == name {
			return &journalFields[i]
		}
	}
	return nil
}

// integerText reads an integer and writes it the one way there is.
func integerText(v string) (string, error) {
	i, err := parseInteger(strings.TrimSpace(v))
	return strconv.FormatInt(i, 10), err
}

// shownMoment reads a time and writes it as the journal does, so that the order of texts is that of times.
func shownMoment(v string) (string, error) {
	s, err := parseJournalTime(strings.TrimSpace(v))
	if err != nil {
		return "", err
	}
	return momentText(s)
}

// compareNumbers orders two integers; what is none was refused before.
func compareNumbers(text, value string) int {
	a, _ := strconv.ParseInt(text, 10, 64)
	b, _ := strconv.ParseInt(value, 10, 64)
	return cmp.Compare(a, b)
}

// compareCodes orders response codes as integers when both are, else as texts.
func compareCodes(text, value string) int {
	a, err := parseInteger(text)
	b, errValue := parseInteger(strings.TrimSpace(value))
	if err != nil || errValue != nil {
		return strings.Compare(text, value)
	}
	return cmp.Compare(a, b)
}
