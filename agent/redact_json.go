package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

const maxJSONDepth = 64

var errDeepJSON = errors.New("json nested too deeply")

// redactAny copies one value from dec to out. name is the member it belongs to; hide replaces every scalar
// in it.
func redactAny(dec *json.Decoder, out *bytes.Buffer, name string, hide bool, depth int) error {
	if depth > maxJSONDepth {
		return errDeepJSON
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return redactObject(dec, out, hide || secretMap(name), depth)
		}
		return redactArray(dec, out, hide || secretMap(name), depth)
	case string:
		switch {
		case (hide || secretMap(name)) && v != "":
			v = redacted
		default:
			v = redactPair(name, v)
		}
		putString(out, v)
	case json.Number:
		if hide || name != "" && secretName(name) {
			putString(out, redacted)
		} else {
			out.WriteString(v.String())
		}
	case bool:
		if v {
			out.WriteString("true")
		} else {
			out.WriteString("false")
		}
	case nil:
		out.WriteString("null")
	}
	return nil
}

func redactObject(dec *json.Decoder, out *bytes.Buffer, hide bool, depth int) error {
	out.WriteByte('{')
	for first := true; dec.More(); first = false {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if !first {
			out.WriteByte(',')
		}
		putString(out, key)
		out.WriteByte(':')
		if err := redactAny(dec, out, key, hide || secretObject(key), depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	out.WriteByte('}')
	return err
}

// secretObject tells whether everything below a member is secret: objects under a secret name.
func secretObject(name string) bool { return secretMap(name) || secretName(name) }

// redactArray copies an array. Strings are taken for the words of a command line, since a secret may be the
// word after the flag that names it.
func redactArray(dec *json.Decoder, out *bytes.Buffer, hide bool, depth int) error {
	var args []string
	var parts [][]byte // nil: the next of args
	for dec.More() {
		var sub bytes.Buffer
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		var s string
		if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil && !hide {
			args, parts = append(args, s), append(parts, nil)
			continue
		}
		inner := json.NewDecoder(bytes.NewReader(raw))
		inner.UseNumber()
		if err := redactAny(inner, &sub, "", hide, depth+1); err != nil {
			return err
		}
		parts = append(parts, sub.Bytes())
	}
	args = redactArgs(args)
	out.WriteByte('[')
	for i, p := range parts {
		if i > 0 {
			out.WriteByte(',')
		}
		if p == nil {
			putString(out, args[0])
			args = args[1:]
			continue
		}
		out.Write(p)
	}
	_, err := dec.Token()
	out.WriteByte(']')
	return err
}

// putString writes s as a JSON string without the escapes meant for HTML.
func putString(out *bytes.Buffer, s string) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	out.Truncate(out.Len() - 1)
}

// secretMaps are members whose values are secrets whatever they are called: variables of a process and the
// websocket secrets of an operation.
var secretMaps = map[string]bool{"environment": true, "env": true, "fds": true, "variables": true}

// secretMap tells the members of secretMaps and, of an instance's settings, environment.NAME.
func secretMap(name string) bool {
	low := strings.ToLower(name)
	return secretMaps[low] || strings.HasPrefix(low, "environment.")
}

// redactJSON returns raw, an event as an engine sent it, without secrets. Order, numbers and unknown members
// are kept. Of broken JSON the part before the fault comes back, since what follows cannot be told to be a
// value or a name; of other text everything but what looks like a secret.
func redactJSON(raw []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var out bytes.Buffer
	out.Grow(len(raw))
	err := redactAny(dec, &out, "", false, 0)
	switch {
	case err == nil && !dec.More():
		return out.Bytes()
	case bytes.ContainsAny(raw, "{["):
		return append(out.Bytes(), "[unreadable]"...)
	}
	return []byte(redactCommand(string(raw)))
}
