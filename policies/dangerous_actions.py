"""IAM actions that no policy may allow on every resource, by what they do."""

from __future__ import annotations

from typing import Final

# Who may do one of these to any resource may give itself everything else.
# Source: Rhino Security Labs, "AWS IAM privilege escalation"; checkov CKV_AWS_286.
ESCALATION: Final = (
    *("iam:AddUserToGroup", "iam:AttachGroupPolicy", "iam:AttachRolePolicy"),
    *("iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:CreateLoginProfile"),
    *("iam:CreatePolicyVersion", "iam:PassRole", "iam:PutGroupPolicy", "iam:PutRolePolicy"),
    *("iam:PutUserPolicy", "iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy"),
    *("iam:UpdateLoginProfile", "lambda:UpdateFunctionCode", "sts:AssumeRole"),
    "glue:UpdateDevEndpoint",
)
# Results that are, or contain, credentials; checkov CKV_AWS_287. (Who pulls an image needs
# ecr:GetAuthorizationToken, for which AWS accepts no resource: it is left out there too.)
EXPOSURE: Final = (
    *("airflow:CreateCliToken", "airflow:CreateWebLoginToken", "appsync:CreateApiKey"),
    *("chime:CreateApiKey", "cloud9:CreateEnvironmentToken", "codepipeline:PollForJobs"),
    *("codeartifact:GetAuthorizationToken", "cognito-idp:DescribeUserPoolClient"),
    *("cognito-identity:GetOpenIdToken", "cognito-identity:GetCredentialsForIdentity"),
    *("cognito-identity:GetOpenIdTokenForDeveloperIdentity", "cognito-idp:GetSigningCertificate"),
    *("connect:GetFederationToken", "connect:GetFederationTokens", "ec2:GetPasswordData"),
    *("ecr-public:GetAuthorizationToken", "finspace-api:GetProgrammaticAccessCredentials"),
    *("emr-containers:GetManagedEndpointSessionCredentials", "gamelift:GetComputeAccess"),
    *("gamelift:GetComputeAuthToken", "gamelift:GetInstanceAccess"),
    *("gamelift:RequestUploadCredentials", "grafana:CreateWorkspaceApiKey"),
    *("iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateAccessKey"),
    *("iam:CreateServiceSpecificCredential", "iam:ResetServiceSpecificCredential"),
    *("license-manager:GetAccessToken", "lightsail:CreateBucketAccessKey"),
    *("lightsail:DownloadDefaultKeyPair", "lightsail:GetInstanceAccessDetails"),
    *("lightsail:GetRelationalDatabaseMasterUserPassword", "rds-db:connect"),
    *("mediapackage:RotateChannelCredentials", "mediapackage:RotateIngestEndpointCredentials"),
    *("redshift:GetClusterCredentials", "redshift:GetClusterCredentialsWithIAM"),
    *("redshift-serverless:GetCredentials", "sso:GetRoleCredentials", "sts:AssumeRole"),
    *("sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:GetFederationToken"),
    "sts:GetSessionToken",
)
# Reads of what a stack is there to protect; checkov CKV_AWS_288.
EXFILTRATION: Final = (
    *("s3:GetObject", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"),
    *("secretsmanager:GetSecretValue", "rds:CopyDBSnapshot", "rds:CreateDBSnapshot"),
)
# Changes of who may do what; checkov CKV_AWS_289 (the part that a data stack has).
PERMISSIONS: Final = (
    *("iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "kms:CreateGrant"),
    *("kms:PutKeyPolicy", "lambda:AddPermission", "s3:PutBucketPolicy", "s3:PutBucketAcl"),
    *("s3:PutAccountPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "s3:PutObjectAcl"),
    *("secretsmanager:PutResourcePolicy", "sns:AddPermission", "sqs:AddPermission"),
    *("iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"),
    *("rds:AuthorizeDBSecurityGroupIngress", "ec2:AuthorizeSecurityGroupIngress"),
)
# Actions after which data, its keys or its backups are gone.
DELETION: Final = (
    *("backup:DeleteBackupVault", "backup:DeleteRecoveryPoint", "kms:DisableKey"),
    *("kms:ScheduleKeyDeletion", "logs:DeleteLogGroup", "rds:DeleteDBCluster"),
    *("rds:DeleteDBClusterSnapshot", "rds:DeleteDBInstance", "rds:DeleteDBSnapshot"),
    *("rds:DeleteDBInstanceAutomatedBackup", "s3:DeleteBucket", "s3:DeleteObject"),
    *("s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration", "secretsmanager:DeleteSecret"),
)
