// Shows the OpenAPI document that the page names, in the system's light or dark theme.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const docs = document.getElementById("docs");
// Swagger UI 5.35.0 has a link inside the button that opens an operation, and names neither its tables nor its fields.
const withoutNestedLinks = () => ({ components: { DeepLink: ({ text }) => text } });
const HEADINGS = { H3: 2, H4: 3, H5: 4 };
const KOREAN = {
  Authorize: "인증", "Available authorizations": "인증 방법", Close: "닫기", Logout: "해제", "Value:": "값:", "Name: ": "이름: ", "In: ": "위치: ",
  Parameters: "매개변수", "No parameters": "매개변수 없음", Name: "이름", Description: "설명", "Try it out ": "실행해 보기", Cancel: "취소",
  Reset: "초기화", Execute: "실행", Clear: "지우기", "Request body": "요청 본문", "Send empty value": "빈 값 보내기", Responses: "응답",
  Code: "코드", "Media type": "미디어 형식", "Example Value": "예시", Schema: "스키마", Schemas: "스키마", "Expand all": "모두 펼치기",
  "Collapse all": "모두 접기", "Server response": "서버 응답", Details: "상세", "Request URL": "요청 URL", "Response body": "응답 본문",
  "Response headers": "응답 헤더", "Request duration": "걸린 시간", Download: "다운로드",
};
const translate = () => {
  if (document.documentElement.lang !== "ko") return;
  const texts = document.createTreeWalker(docs, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { nodeValue, parentElement } = texts.currentNode;
    if (Object.hasOwn(KOREAN, nodeValue) && !parentElement.closest("pre, .markdown, .renderedMarkdown")) texts.currentNode.nodeValue = KOREAN[nodeValue];
  }
};
const repair = () => {
  translate();
  for (const intro of docs.querySelectorAll(".information-container")) {
    intro.role = "region";
    intro.ariaLabel = document.title;
  }
  for (const heading of docs.querySelectorAll("h3, h4, h5")) heading.ariaLevel = HEADINGS[heading.tagName];
  for (const table of docs.querySelectorAll("table[role=region]")) table.removeAttribute("role");
  for (const field of docs.querySelectorAll("tr[data-param-name] :is(input, select, textarea)")) {
    field.ariaLabel = field.closest("tr").dataset.paramName;
  }
  for (const example of docs.querySelectorAll("pre.microlight")) example.tabIndex = 0; // it may scroll
  for (const body of docs.querySelectorAll(".opblock-section-request-body :is(select, textarea):not([aria-label])")) {
    body.ariaLabel = body.closest(".opblock-section-request-body").querySelector("h4").textContent;
  }
};
new MutationObserver(repair).observe(docs, { childList: true, subtree: true });

SwaggerUIBundle({
  url: docs.dataset.document,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
  syntaxHighlight: false, // its colours have too little contrast
  plugins: [withoutNestedLinks],
});
