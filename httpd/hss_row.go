package httpd

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"shiplog/format"
)

// hssRow is one record in an answer. What is unknown is an empty text: not every SDK takes null.
type hssRow struct {
	ResourceName string `json:"resource_name"`
	ResourceType string `json:"resource_type"`
	EventName    string `json:"event_name"`
	EventID      string `json:"event_id"`
	EventType    string `json:"event_type"`
	SourceIP     string `json:"source_ip"`
	UserName     string `json:"user_name"`
	Time         int64  `json:"time"` // milliseconds since 1970 (seed 003), rounded down
	Content      string `json:"content"`
}

func newHSSRow(f *format.Fields) hssRow {
	own, name := ownHSS(f), hssResourceName(f)
	return hssRow{ResourceName: name, ResourceType: own.resourceType, EventName: own.eventName, EventID: f.ID.String(),
		EventType: own.eventType, SourceIP: f.SrcIP.String(), UserName: f.ActorName.String(),
		Time: time.Unix(0, f.Time).UnixMilli(), Content: messageAbout(f, fullReference(name, f.ObjID.String()))}
}

// hssResourceName is what people call the object of a record.
func hssResourceName(f *format.Fields) string {
	return hssName(f.ObjID.String(), f.ObjName.String(), f.ObjImage.String(), f.ObjTag.String())
}

// hssName is the resource name of an object; "" is what it has not.
func hssName(id, name, image, tag string) string {
	switch {
	case name != "":
		return name
	case image == "":
		return id
	case tag == "":
		return image
	}
	return image + ":" + tag
}

// fullReference prefers the id where it is the name with a tag, as in Docker's report of a pull.
func fullReference(name, id string) string {
	if strings.HasPrefix(id, name+":") {
		return id
	}
	return name
}

// hssEventName is the name of an action: an imported one stands behind the prefix.
func hssEventName(action string) string { return strings.TrimPrefix(action, "hss.") }

// hssOwn are the values that a record may have for this API alone.
type hssOwn struct{ resourceType, eventType, eventName string }

// ownHSS returns them, and in their place what the record has in general.
func ownHSS(f *format.Fields) hssOwn {
	own := hssOwn{f.ObjType.String(), f.Category.String(), hssEventName(f.Action.String())}
	// Looking for the bytes first spares nearly every record the decoding; an escape may spell the name too.
	if !bytes.Contains(f.Data, []byte(`"hss"`)) && !bytes.Contains(f.Data, []byte(`\u`)) {
		return own
	}
	var data, members map[string]json.RawMessage // maps, since a struct would take HSS for hss
	if json.Unmarshal(f.Data, &data) != nil || json.Unmarshal(data["hss"], &members) != nil {
		return own
	}
	for name, value := range map[string]*string{"resource_type": &own.resourceType, "event_type": &own.eventType, "event_name": &own.eventName} {
		var text string
		if json.Unmarshal(members[name], &text) == nil && text != "" {
			*value = text
		}
	}
	return own
}
