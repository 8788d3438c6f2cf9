package httpd

import (
	"strings"

	"shiplog/format"
)

// shownMessage is the text of a log record; a record without one is told by its action.
func shownMessage(f *format.Fields) string { return messageAbout(f, f.ObjID.String()) }

// messageAbout is shownMessage with the name under which the reader knows the object of the record.
func messageAbout(f *format.Fields, object string) string {
	if !f.Msg.Empty() {
		return f.Msg.String()
	}
	text := strings.TrimRight(f.Action.String()+" "+f.ObjType.String()+" "+object, " ")
	switch {
	case !f.Status.Empty():
		text += ": " + f.Status.String()
	case !f.Code.Empty():
		text += ": code " + f.Code.String()
	}
	return text
}
