#include "cmd/init_templates.h"

#include "base/mem.h"

#define SETTINGS(runtime)                                                                          \
    "{\n  \"IsEncrypted\": false,\n  \"Values\": {\n    \"FUNCTIONS_WORKER_RUNTIME\": \"" runtime  \
    "\"\n  }\n}\n"

#define CONNECTION "\n      \"connection\": \"redis\""

static const char c_source[] =
    "#include <redgrid/function.h>\n"
    "\n"
    "/* Runs once for every message. Returning anything but REDGRID_OK makes redgrid deliver it "
    "again. */\n"
    "int run(struct redgrid_invocation *run)\n"
    "{\n"
    "    struct redgrid_slice message = redgrid_message(run);\n"
    "\n"
    "    redgrid_log(run, REDGRID_INFO, \"got %.*s\", REDGRID_ARG(message));\n"
    "    return REDGRID_OK;\n"
    "}\n";

static const char python_source[] =
    "import logging\n"
    "\n"
    "\n"
    "def main(message: str):\n"
    "    \"\"\"Runs once for every message. An exception makes redgrid deliver it again.\"\"\"\n"
    "    logging.info(\"got %s\", message)\n";

static const char custom_source[] =
    "#!/usr/bin/env python3\n"
    "\"\"\"A custom handler: any program that answers HTTP can run functions.\n"
    "\n"
    "Every message is posted to http://127.0.0.1:$FUNCTIONS_CUSTOMHANDLER_PORT/<function> as\n"
    "{\"Data\": {...}, \"Metadata\": {...}}. A 2xx answer is a success; \"Logs\" are written to "
    "redgrid's log.\n"
    "\"\"\"\n"
    "\n"
    "import http.server\n"
    "import json\n"
    "import os\n"
    "\n"
    "\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    protocol_version = \"HTTP/1.1\"\n"
    "\n"
    "    def do_GET(self):\n"
    "        self.answer({})\n"
    "\n"
    "    def do_POST(self):\n"
    "        request = json.loads(self.rfile.read(int(self.headers[\"Content-Length\"])))\n"
    "        message = request[\"Data\"][\"message\"]  # an event, or a text that holds JSON\n"
    "        if isinstance(message, str):\n"
    "            message = json.loads(message)\n"
    "        self.answer({\"Logs\": [f\"got {message}\"]})\n"
    "\n"
    "    def answer(self, body):\n"
    "        text = json.dumps(body).encode()\n"
    "        self.send_response(200)\n"
    "        self.send_header(\"Content-Type\", \"application/json\")\n"
    "        self.send_header(\"Content-Length\", str(len(text)))\n"
    "        self.end_headers()\n"
    "        self.wfile.write(text)\n"
    "\n"
    "    def log_request(self, *_):\n"
    "        pass\n"
    "\n"
    "\n"
    "port = int(os.environ[\"FUNCTIONS_CUSTOMHANDLER_PORT\"])\n"
    "http.server.ThreadingHTTPServer((\"127.0.0.1\", port), Handler).serve_forever()\n";

static const char host_json[] = "{\n  \"version\": \"2.0\"\n}\n";
static const char host_json_custom[] =
    "{\n  \"version\": \"2.0\",\n  \"customHandler\": {\n    \"description\": {\n"
    "      \"defaultExecutablePath\": \"handler\"\n    }\n  }\n}\n";

const struct template_language template_languages[] = {
    {"c",
     {{"host.json", host_json, false},
      {"local.settings.json", SETTINGS("c"), false},
      {"@/run.c", c_source, false}},
     "run.c"},
    {"python",
     {{"host.json", host_json, false},
      {"local.settings.json", SETTINGS("python"), false},
      {"@/__init__.py", python_source, false}},
     "__init__.py"},
    {"custom",
     {{"host.json", host_json_custom, false},
      {"local.settings.json", SETTINGS("custom"), false},
      {"handler", custom_source, true}},
     NULL},
};
const size_t template_language_count = COUNT_OF(template_languages);

const struct template_trigger template_triggers[] = {
    {"list", "\"type\": \"redisListTrigger\",\n      \"key\": \"@\"," CONNECTION,
     "an element on the list '@'", "redis-cli RPUSH @ hello", true},
    {"stream", "\"type\": \"redisStreamTrigger\",\n      \"key\": \"@\"," CONNECTION,
     "an entry on the stream '@'", "redis-cli XADD @ '*' message hello", true},
    {"pubsub", "\"type\": \"redisPubSubTrigger\",\n      \"channel\": \"@\"," CONNECTION,
     "a message on the channel '@'", "redis-cli PUBLISH @ hello", true},
    {"event", "\"type\": \"eventGridTrigger\"", "events of a topic",
     "$ topic create greetings\n  "
     "$ subscription create greeter --topic greetings --function ^\n  "
     "$ topic publish greetings --type hello --subject world --data '{\"name\": \"world\"}'",
     false},
};
const size_t template_trigger_count = COUNT_OF(template_triggers);
