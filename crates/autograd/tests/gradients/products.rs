use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("matmul", [normal([2, 3], 1), normal([3, 5], 2)], |[a, b]| a.matmul(b)),
        case("matmul of vectors", [normal([3], 1), normal([3], 2)], |[a, b]| a.matmul(b)),
        case("vector times batch", [normal([3], 1), normal([2, 3, 4], 2)], |[a, b]| a.matmul(b)),
        case("batch times vector", [normal([2, 4, 3], 1), normal([3], 2)], |[a, b]| a.matmul(b)),
        case("a matrix for each batch", [normal([2, 1, 3], 1), normal([3, 2], 2)], |[a, b]| a.matmul(b)),
        case("x·xᵀ", [normal([2, 3], 1)], |[x]| x.product(x, Transposed { a: false, b: true })),
        case("x·x", [normal([3, 3], 1)], |[x]| x.matmul(x)),
        case("linear", [normal([2, 3, 4], 1), normal([5, 4], 2), normal([5], 3)], |[x, w, b]| {
            x.linear(w, Some(b))
        }),
        case("linear of a vector", [normal([4], 1), normal([1, 4], 2)], |[x, w]| x.linear(w, None)),
    ];
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let matrix = |rows, columns, flip: bool| if flip { [columns, rows] } else { [rows, columns] };
        let batched = |[rows, columns]: [usize; 2], batch| [batch, rows, columns];
        let transposed = Transposed { a, b };
        let (x, y) = (matrix(2, 3, a), matrix(3, 4, b));
        let product = move |[x, y]: [&V; 2]| x.product(y, transposed);
        cases.extend([
            case("product", [normal(x, 1), normal(y, 2)], product),
            case("product of batches", [normal(batched(x, 2), 1), normal(batched(y, 2), 2)], product),
            case("product that broadcasts its left side", [normal(x, 1), normal(batched(y, 3), 2)], product),
            case("product that broadcasts its right side", [normal(batched(x, 3), 1), normal(y, 2)], product),
        ]);
    }
    cases
}
