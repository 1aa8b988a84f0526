//! `/problems/CODE`: where the `type` of a problem leads, a page a code from the one table.

use crate::problem::{CODES, Problem};
use axum::extract::Path;
use axum::response::Html;

pub async fn page(Path(code): Path<String>) -> Result<Html<String>, Problem> {
    let found = CODES.iter().find(|(known, ..)| *known == code);
    let (code, status, title) = found.ok_or_else(|| Problem::new("not_found", "no problem has this code"))?;
    let again = match status {
        400..500 => "The request is to be changed: the problem's <code>detail</code> and <code>errors</code> say how.",
        _ => "The request may be right: send it again after <code>Retry-After</code>, or look into the service's log.",
    };
    Ok(Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{code}</title><style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui;margin:3rem auto;\
         max-width:40rem;padding:0 1rem}}</style><h1>{title}</h1><p><code>{code}</code>, status {status}</p><p>{again}</p></html>"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_type_of_every_problem_leads_to_a_page() {
        for (code, ..) in CODES {
            let kind = Problem::new(code, "").to_value()["type"].as_str().unwrap().to_owned();
            let code = kind.strip_prefix("/problems/").unwrap();
            let Ok(Html(text)) = page(Path(code.to_owned())).await else { panic!("{code}") };
            assert!(text.contains(code), "{text}");
        }
        assert_eq!(page(Path("other".to_owned())).await.unwrap_err().status, 404);
    }
}
