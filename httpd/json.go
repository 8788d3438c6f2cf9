package httpd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// writeJSON answers with v, indented by two spaces with a final newline. Structs list their members in the
// order of the alphabet; `<`, `>` and `&` stay as they are.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	return writeEncoded(w, status, v, "  ")
}

// writeCompact answers with v on one line, which ends in a newline.
func writeCompact(w http.ResponseWriter, status int, v any) error {
	return writeEncoded(w, status, v, "")
}

func writeEncoded(w http.ResponseWriter, status int, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	sendJSON(w, status, b.Bytes())
	return nil
}

// sendJSON answers with what is JSON already.
func sendJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is no error of ours
}

// errorBody is how Container Station reports an error; a published client recognises it by the first bytes,
// which the indentation of writeJSON makes right.
type errorBody struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// failJSON writes e as an errorBody.
func failJSON(w http.ResponseWriter, _ *http.Request, e *statusError) {
	var b errorBody
	b.Error.Code, b.Error.Message = e.status, e.message
	_ = writeJSON(w, e.status, b) // cannot fail: an int and a string
}
