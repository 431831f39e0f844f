//! The query of an address; unknown and repeated names are errors that name them.

use axum::{extract::Query, http::Uri};

use crate::problem::Problem;

/// Longest name shown in an error: it is the caller's.
const NAME_CHARS_MAX: usize = 200;

/// The values of these names, in their order.
pub(crate) fn query<const N: usize>(
    uri: &Uri,
    names: [&'static str; N],
) -> Result<[Option<String>; N], Problem> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(Problem::invalid("query", "is not name=value&name=value"));
    };
    let mut values = [const { None }; N];
    for (name, value) in pairs {
        let Some(index) = names.iter().position(|known| *known == name) else {
            let shown: String = name
                .chars()
                .filter(|char| !char.is_control())
                .take(NAME_CHARS_MAX)
                .collect();
            return Err(Problem::invalid(shown, "is unknown here"));
        };
        if values[index].replace(value).is_some() {
            return Err(Problem::invalid(names[index], "is repeated"));
        }
    }
    Ok(values)
}
