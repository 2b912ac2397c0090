// SES by aws-ses-v2-local. Usage: AWS_SES_ACCOUNT='{…}' node ses.mjs PORT
import local from "aws-ses-v2-local";

await local.default({ host: "127.0.0.1", port: Number(process.argv[2]) });
