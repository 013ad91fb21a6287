// A failure with one of the codes of src/errors.ts; errors.h turns it into a JavaScript error.
#pragma once

#include <stdexcept>
#include <string>

namespace covidct {

class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace covidct
