// Numbers in the table, spelled as everywhere else: ftsweep/domain/spelling.py, `number`. The grid calls it by name.
(function () {
  "use strict";

  function short(value, digits) {
    if (typeof value !== "number") return value === null || value === undefined ? "" : String(value);
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 2 ** 53) return String(value);
    if (size >= 1e-3 && size < 1e6) {
      const text = value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
      return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
    }
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return (mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa) + "e" + Number(exponent);
  }

  window.dashAgGridFunctions = Object.assign({}, window.dashAgGridFunctions, { shortNumber: short });
})();
