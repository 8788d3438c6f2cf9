package httpd

import "shiplog/index"

// foldText maps texts that differ only in case to one, as the index does with messages.
func foldText(s string) string { return string(index.AppendFold(make([]byte, 0, len(s)), []byte(s))) }
