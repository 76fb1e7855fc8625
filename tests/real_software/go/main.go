// A function whose calls go wrong in ways chosen by the event, with the AWS SDK for Go v2; see
// ../python/app.py.
//
// Debian has no aws-lambda-go: the loop below stands in for it, and writes what it writes of an
// error that the handler returns, the error's JSON by way of log.Printf.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type event struct {
	Call, Target, How string
}

func config() aws.Config {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	return aws.Config{
		Region:      os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		Retryer:     func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 2) },
		EndpointResolverWithOptions: aws.EndpointResolverWithOptionsFunc(func(string, string, ...interface{}) (aws.Endpoint, error) {
			return aws.Endpoint{URL: endpoint, HostnameImmutable: true, SigningRegion: os.Getenv("AWS_REGION")}, nil
		}),
	}
}

func call(ctx context.Context, e event) error {
	keys := kms.NewFromConfig(config())
	var err error
	switch e.Call {
	case "kms":
		_, err = keys.Decrypt(ctx, &kms.DecryptInput{KeyId: &e.Target, CiphertextBlob: []byte("AQICAHh0aXMgaXMgbm90")})
	case "kms-encrypt":
		_, err = keys.Encrypt(ctx, &kms.EncryptInput{KeyId: &e.Target, Plaintext: []byte("order")})
	case "kms-data-key":
		_, err = keys.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &e.Target, KeySpec: kmstypes.DataKeySpecAes256})
	case "s3":
		client := s3.NewFromConfig(config(), func(o *s3.Options) { o.UsePathStyle = true })
		_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("orders"), Key: &e.Target})
	case "lambda":
		_, err = lambda.NewFromConfig(config()).Invoke(ctx, &lambda.InvokeInput{FunctionName: &e.Target, Payload: []byte("{}")})
	case "resolve":
		_, err = net.LookupHost(e.Target)
	case "open-path":
		_, err = os.ReadFile(e.Target)
	default:
		err = errors.New("no such call")
	}
	if err == nil || e.How == "" || e.How == "uncaught" {
		return err
	}
	log.Printf("could not load the order: %v", err)
	return nil
}

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(base + "next")
		if err != nil {
			log.Fatal(err)
		}
		var e event
		if err := json.NewDecoder(next.Body).Decode(&e); err != nil {
			log.Fatal(err)
		}
		next.Body.Close()
		answer, path := []byte(`{"done":true}`), "/response"
		if err := call(context.Background(), e); err != nil {
			kind := reflect.TypeOf(err)
			if kind.Kind() == reflect.Ptr {
				kind = kind.Elem()
			}
			answer, _ = json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": kind.Name()})
			log.Printf("%s", answer)
			path = "/error"
		}
		post(fmt.Sprint(base, next.Header.Get("Lambda-Runtime-Aws-Request-Id"), path), answer)
	}
}

func post(url string, body []byte) {
	done, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, done.Body)
	done.Body.Close()
}
