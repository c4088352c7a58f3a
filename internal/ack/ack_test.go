package ack

import (
	"errors"
	"strings"
	"testing"
)

// TestCase13_Words: any case, as a whole word; JSON that says no is a no.
func TestCase13_Words(t *testing.T) {
	for _, body := range []string{
		"Success", "success", "SUCCESS", "success\n", "\uFEFFSuccess", "<html>Success</html>", `"success"`, "Unsuccessful? No: success.",
		`{"msg":"success"}`, `{"success":true}`, `{"success":1}`, `{"success":"true"}`, `{"status":"success"}`, `{"code":200,"msg":"Success","status":200}`,
		`{"result":"Success"}`, `{"status":true,"message":"success"}`, `{"status":0,"msg":"success"}`, `{"status":"0","msg":"success"}`, `{"error":null,"msg":"success"}`, "success=1", "failed 0, success 1",
		`{"msg":"Success","more":"` + strings.Repeat("x", Limit) + `"}`, `["success"]`, `{"msg":"Success"`,
	} {
		if err := Judge([]byte(body), "Success"); err != nil {
			t.Errorf("%.60q is a yes, and was: %v", body, err)
		}
	}
	for _, body := range []string{
		"", "ok", "Unsuccessful", "successful", "Successes", "nosuccess", "success_count", "is_success", "suceess", "été_success",
		`{"success":false}`, `{"Success":false}`, `{"success": false, "message": "no Success yet"}`, `{"success":0}`, `{"success":"false"}`, `{"success":null}`,
		`{"msg":"success","status":"error"}`, `{"msg":"success","status":"FAILED"}`, `{"success":true,"result":"fail"}`, `{"msg":"success","status":500}`,
		`{"result":false,"msg":"success"}`, `{"message":"Success","status":"Error: database is locked"}`, "\uFEFF" + `{"success":false}`,
		`{"data":{"success":false}}`, "success=false", "success: no", `{"success":false,"trace":"` + strings.Repeat("Success ", 10<<10),
		`<br />Fatal error: Uncaught PDOException`,
	} {
		if err := Judge([]byte(body), "Success"); err == nil {
			t.Errorf("%.60q is a no, and was taken for a yes", body)
		}
	}
	var denied *DeniedError
	if err := Judge([]byte(`{"status":"error","msg":"success"}`), "success"); !errors.As(err, &denied) || denied.Error() != `status is "error"` {
		t.Errorf("the cause is %v", err)
	}
	if err := Judge([]byte("ok"), "success"); !errors.Is(err, ErrNoWord) {
		t.Errorf("the cause is %v", err)
	}
}

// TestTheWholeAnswerIsRead: a word that says no counts where it is what the field says, and
// not anywhere in it.
func TestTheWholeAnswerIsRead(t *testing.T) {
	for _, body := range []string{
		`{"result":"Success: 0 failed"}`, `{"status":"ok, no errors","message":"Success"}`, `{"status":"Success","result":"not invalid"}`,
		`{"success":"Success"}`, `{"success":12}`, `{"success":500}`, `{"success":["stored"]}`, `{"success":{"id":1}}`, `{"success":"no errors"}`, `{"result":[],"msg":"success"}`, `{"result":null,"msg":"success"}`,
		`{"ok":true,"message":"Success"}`, `{"code":"0","msg":"success"}`, `{"code":10000,"msg":"success"}`, `{"status":"200","msg":"success"}`,
		"Success: 0 failed", "success: no errors", "It did not fail: success", "no, success", "nobody: success", "success > 12", "Success.", `{"msg":"Success","errors":[]}`, "<success>true</success>", "success => 1", "success: nothing",
	} {
		if err := Judge([]byte(body), "Success"); err != nil {
			t.Errorf("%q is a yes, and was: %v", body, err)
		}
	}
	for _, body := range []string{
		`{"status":"rejected","message":"Success"}`, `{"success":"failed"}`, `{"success":[]}`, `{"success":{}}`, `{"ok":false,"message":"Success expected"}`, `{"code":500,"msg":"no success"}`,
		"success => false", "<success>false</success>", "not success", "no Success", "Not a success", "without any success", `{"error":"not a success"}`,
		`{"success":"no!"}`, `{"success":"n"}`, `{"success":"off"}`, `{"success":""}`, `{"success":"null"}`, `{"success":" 0.0 "}`, `{"ok":0,"msg":"success"}`, `{"ok":null,"msg":"success"}`,
		`{"code":500,"msg":"success"}`, `{"code":"404","msg":"success"}`, `{"code":"invalid_signature","msg":"success"}`, `{"status":"[ERROR] locked","msg":"success"}`, `{"result":"Denied","msg":"success"}`, `{"result":"failure","msg":"success"}`,
		`{"data":{"success":"failed"}}`, `{"success" : 'false'}`, `{"Success ":false}`, `[{"success": "False"}]`, `x "success": "no"`, "success='0'", "success: no.", "success=failed&x=1", "Success: error", "success=0&x=1", `{"result":"success: false"}`, `{"success":true,"success":false}`,
	} {
		if err := Judge([]byte(body), "Success"); err == nil {
			t.Errorf("%q is a no, and was taken for a yes", body)
		}
	}
	for body, text := range map[string]string{`{"status":"rejected"}`: "Rejected", `{"result":"no: stored"}`: "no", `{"success":"failed over"}`: "failed"} {
		if err := Judge([]byte(body), text); err != nil {
			t.Errorf("%q begins with %q: %v", body, text, err)
		}
	}
}

// TestOtherTexts: an `ack` of one's own may be any text.
func TestOtherTexts(t *testing.T) {
	for body, text := range map[string]string{
		"order=taken;": "taken", "[OK]": "[ok]", "all done, thanks": "done, thanks", "ERLEDIGT: Größe": "größe", "a-stored-b": "stored", "xx[ok]yy": "[ok]",
	} {
		if err := Judge([]byte(body), text); err != nil {
			t.Errorf("%q has %q: %v", body, text, err)
		}
	}
	for body, text := range map[string]string{"unstored": "stored", "stored2": "stored", "größer": "größe", "anything": ""} {
		if Judge([]byte(body), text) == nil {
			t.Errorf("%q has no %q", body, text)
		}
	}
	if HasExact([]byte("success"), "Success") || !HasExact([]byte("a Success."), "Success") {
		t.Error("the same case was not told from another")
	}
}

// FuzzJudge: nothing panics, and case never matters.
func FuzzJudge(f *testing.F) {
	for _, body := range []string{"Success", `{"success":false}`, `{"a":[{"status":"error"}],"status":1e9}`, "\xff\xfe", "{", `{"success"`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := Judge(body, "Success"); (err == nil) != (Judge(body, "sUCCESS") == nil) {
			t.Fatalf("%q: the case of the text matters: %v", body, err)
		}
		if HasExact(body, "Success") && Judge(body, "Success") != nil && denial(body, "success") == nil {
			t.Fatalf("%q has the word, and was a no", body)
		}
	})
}
