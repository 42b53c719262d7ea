package fake

import (
	"encoding/json"
	"net/http"
)

// refusal is one element of an error answer.
type refusal struct {
	Message   string   `json:"message"`
	ErrorCode string   `json:"errorCode"`
	Fields    []string `json:"fields,omitempty"`
	status    int
}

func refused(code, message string, fields ...string) *refusal {
	return &refusal{Message: message, ErrorCode: code, Fields: fields, status: http.StatusBadRequest}
}

func (r *refusal) write(w http.ResponseWriter) { respond(w, r.status, []*refusal{r}) }

func refuse(w http.ResponseWriter, status int, code, message string) {
	r := refused(code, message)
	r.status = status
	r.write(w)
}

func respond(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// maxBody bounds a request.
const maxBody = 1 << 20

func decode(w http.ResponseWriter, r *http.Request) (Row, bool) {
	var row Row
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&row) != nil || row == nil {
		refuse(w, http.StatusBadRequest, "JSON_PARSER_ERROR", "The body is not a JSON object")
		return nil, false
	}
	return row, true
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
