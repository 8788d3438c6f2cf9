module shiplog/scripts/clients/huawei

go 1.26.0

require github.com/huaweicloud/huaweicloud-sdk-go-v3 v0.1.207
