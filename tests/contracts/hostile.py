"""What people write into titles, names and ids when they want a message to do more than to say something."""

HOSTILE = {
    "header injection": "Add index\r\nBcc: mallory@evil.example\r\n\r\nHello",
    "line separators": "a\u2028b\u2029c\x0bd\x0ce\x85f",
    "SMTP smuggling": "x\r\n.\r\nMAIL FROM:<mallory@evil.example>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\n",
    "dots": "..\n.\n...",
    "encoded word": "=?utf-8?b?PHNjcmlwdD4=?= =?utf-8?q?=0D=0ABcc:_m@evil.example?=",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>\"><b>'",
    "template": "${page} $url {{7*7}} {0} %s %(name)s {% raw %} <!-- part: page -->",
    "direction": "invoice\u202efdp.exe \u200b\u2066hidden\u2069 \ufeff",
    "NUL": "a\x00b\x1b[31mred\x07",
    "emoji": "🚀 工单 👩‍👩‍👧‍👦 ñ é \U0001f1e8\U0001f1f3",
    "address": '"Bo" <mallory@evil.example>, eve@example.com',
    "quotes": "\\\"'`\\",
    "spaces": "   \t  ",
    "long": "工" * 500,
    "long word": "x" * 500,
    "link": "[Approve here](https://evil.example/x) [a][b] [c]: https://evil.example [d]  (https://evil.example)",
    "reference": "[b]\n\n[b]: https://evil.example 'title'",
    "picture": "![t](https://evil.example/pixel.png) ![](//evil.example/p) !\\[x](y)",
    "angle link": "<https://evil.example> <mailto:m@evil.example> <https://evil.example|Approve here>",
    "tags": '<a href="https://evil.example">x</a><img src="//evil.example/p.png"><iframe src=javascript:alert(1)>'
    "<style>*{display:none}</style><!-- x --><base href=//evil.example><form action=//evil.example><svg/onload=alert(1)>",
    "scripts": "javascript:alert(1) data:text/html,<script>alert(1)</script> vbscript:x [x](javascript:alert(1))",
    "mentions": "<!channel> <!here|here> <!everyone> <@U012AB3CD> <@all> @所有人 @all @here @channel @everyone"
    ' <at id=all></at> <at user_id="all">x</at> @8613800000001 @13800000001',
    "headings": "# Big\n## Bigger\n\nSetext\n====\n\n---\n\n> quote\n\n- list\n1. one\n* * *\n    code",
    "blocks": "```\ncode\n```\n~~~\n| a | b |\n|---|---|\n| c | d |\n",
    "emphasis": "*a* **b** ~~c~~ `d` ``e`` \\*f\\* ***g*** **",
    "entities": "&lt;script&gt; &#91;a&#93;(https://evil.example) &#x3c;b&#x3e; &amp;lt; &#42;&#42;x&#42;&#42;",
    "full width": "［a］（https://evil.example） ＜b＞ ＊c＊ ＠所有人",
    "card": '{"at": {"isAtAll": true}} "},"at":{"isAtAll":true},"x":{"',
}
BAD_LINKS = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)//https://x.example", "data:text/html,<script>alert(1)</script>",
    "vbscript:x", "file:///etc/passwd", "//evil.example", "https://evil.example/)[x](https://evil.example",
    "https://evil.example/\" onclick=\"alert(1)", "https://evil.example/' x='", "https://evil.example/<b>",
    "https://evil.example/\r\nBcc: m@evil.example", "https://evil.example/|text>", "https://evil.example/\u202e",
    "https://dms.example.com@evil.example/", "dingtalk://dingtalkclient/page/link?url=https://evil.example",
)  # fmt: skip
